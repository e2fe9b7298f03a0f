"""Fingerprints: the identity of a result before it exists."""

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from voltx_core.config import VoltxConfig, lookup
from voltx_core.stages import graph
from voltx_core.stages.contract import StageSpec

LOCATIONS = ("data.directory", "data.problems", "data.corpus", "vincigpt.corpus.source")
"""Settings that say where something lies; ``external`` digests what lies there instead."""


def settings(spec: StageSpec, config: VoltxConfig) -> dict[str, Any]:
    """The configuration that decides a stage's result, as flat JSON-ready keys."""
    flat: dict[str, Any] = {}
    judged = ("judge.cpu_s", "judge.wall_s", "judge.memory_mib") if spec.judges else ()
    for path in ("seed", "compute.precision", *judged, *spec.reads):
        _flatten(path, lookup(config, path), flat)
    return {key: value for key, value in sorted(flat.items()) if key not in LOCATIONS}


def external(spec: StageSpec, config: VoltxConfig) -> dict[str, str]:
    """Digests of what a stage reads from outside the store; empty for most stages."""
    declare = getattr(graph.module(spec.name), "external", None)
    return dict(declare(config)) if declare else {}


def fingerprint(
    spec: StageSpec,
    config: VoltxConfig,
    inputs: Mapping[str, str],
    outside: Mapping[str, str],
) -> str:
    """Hash of stage name and version, the settings it reads, and the digests of its inputs."""
    identity = {
        "stage": spec.name,
        "version": spec.version,
        "config": settings(spec, config),
        "inputs": dict(inputs),
        "external": dict(outside),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def code_digests(spec: StageSpec) -> dict[str, str]:
    """sha256 of every module a stage's work is made of, so that a plan can point out changes.

    The stage's own module and what it imports from the library, followed through the source text;
    nothing is imported for it. Contracts and settings are left out: they have their own ways of
    invalidating results.
    """
    stage = graph.module(spec.name)
    assert stage.__file__ is not None
    library = Path(stage.__file__).parents[1]
    own = Path(stage.__file__)
    found: dict[str, str] = {f"voltx_core.stages.{spec.name}": _sha256(own)}
    frontier = [own]
    while frontier:
        source = frontier.pop()
        for name in _imports(source, source.stat().st_mtime_ns):
            path = _source(library, name)
            if name not in found and path is not None and not name.startswith(_NOT_WORK):
                found[name] = _sha256(path)
                frontier.append(path)
    return dict(sorted(found.items()))


_NOT_WORK = tuple(
    f"voltx_core.{name}" for name in ("config", "store", "errors", "stages.contract", "report")
)


@cache
def _imports(path: Path, _changed_ns: int) -> frozenset[str]:
    """Names of voltx_core modules that a source file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(name for name in names if name.startswith("voltx_core."))


@cache
def _source(library: Path, name: str) -> Path | None:
    """The file of a module of the library; None for a name that is no module."""
    place = library.joinpath(*name.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flatten(path: str, value: Any, into: dict[str, Any]) -> None:
    if isinstance(value, dict) and path != "cost.rates_usd_per_hour":
        for key, inner in value.items():
            _flatten(f"{path}.{key}", inner, into)
    else:
        into[path] = list(value) if isinstance(value, tuple) else value
