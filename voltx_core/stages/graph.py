"""The list of stages and the order that their artifacts impose."""

import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType

from voltx_core.errors import ConfigError
from voltx_core.stages.contract import StageSpec

MODULES: tuple[str, ...] = (
    "data",
    "translator",
    "codebook",
    "soft_core",
    "baseline",
    "router",
    "certainty",
    "safety",
    "e2e",
    "rlvf",
    "sleep",
    "scaling",
    "javascript",
    "java",
    "rust_go",
    "benchmarks",
    "vincigpt_corpus",
    "vincigpt",
)
"""Stage modules, in an order in which every stage comes after what it needs."""
ASIDE: tuple[str, ...] = ("vincigpt_corpus", "vincigpt")
"""Stages of a small graph of their own (flows/vincigpt.py), visited when they are named."""
ASIDE_COMMAND = "voltx vincigpt train"
"""What visits the stages of ``ASIDE``; `voltx run` visits all others."""


def module(name: str) -> ModuleType:
    """The module of a stage; importing it is cheap, its ``run`` imports what it needs.

    Raises:
        ConfigError: No such stage.
    """
    if name not in MODULES:
        raise ConfigError(f"Unknown stage {name!r}. Stages: {', '.join(MODULES)}.")
    return importlib.import_module(f"voltx_core.stages.{name}")


@cache
def specs() -> Mapping[str, StageSpec]:
    """Every stage by name, in order."""
    return {name: module(name).SPEC for name in MODULES}


@cache
def makers() -> Mapping[str, str]:
    """Which stage makes each artifact."""
    return {a.name: spec.name for spec in specs().values() for a in spec.makes}


def parents(name: str) -> tuple[str, ...]:
    """Stages that make what this stage needs, in graph order."""
    wanted = {makers()[artifact] for artifact in specs()[name].needs}
    return tuple(n for n in MODULES if n in wanted)


def select(only: Iterable[str] | None = None, until: str | None = None) -> tuple[str, ...]:
    """Names of the stages to visit: the graph of Volt X, some with all they need, or up to one.

    Names and numbers ("soft_core", "2.1") are both understood.

    Raises:
        ConfigError: A name or number that no stage has.
    """
    if until is not None:
        only = [*(only or ()), until]
    if not only:
        return tuple(name for name in MODULES if name not in ASIDE)
    wanted: set[str] = set()
    frontier = [named(text) for text in only]
    while frontier:
        name = frontier.pop()
        if name not in wanted:
            wanted.add(name)
            frontier += parents(name)
    return tuple(n for n in MODULES if n in wanted)


def refuse_aside(asked: Iterable[str]) -> None:
    """Make sure that the graph of Volt X visits what was asked for.

    Args:
        asked: Names or numbers.

    Raises:
        ConfigError: One of them stands aside, or no stage has it.
    """
    aside = [name for text in asked if (name := named(text)) in ASIDE]
    if aside:
        listed = ", ".join(f"{specs()[name].number} {name}" for name in dict.fromkeys(aside))
        raise ConfigError(
            f"{listed}: not part of the graph of Volt X, so this run would not visit it. "
            f"Train it by its own command: {ASIDE_COMMAND}."
        )


def command(name: str) -> str:
    """What makes a stage and all it needs, as it is typed."""
    return ASIDE_COMMAND if name in ASIDE else f"voltx run --until {name}"


def named(text: str) -> str:
    """The stage a user means by a name or a number.

    Raises:
        ConfigError: No stage has it.
    """
    for spec in specs().values():
        if text in (spec.name, spec.number):
            return spec.name
    known = ", ".join(f"{s.number} {s.name}" for s in specs().values())
    raise ConfigError(f"No stage is called {text!r}. Stages: {known}.")
