"""Fingerprints: the identity of a result before it exists."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voltx_core.config import VoltxConfig, lookup
from voltx_core.stages import graph
from voltx_core.stages.contract import StageSpec

LOCATIONS = ("data.directory", "data.problems", "data.corpus")
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
    """sha256 of the stage's own module, so that a plan can point out changed code."""
    source = graph.module(spec.name).__file__
    assert source is not None
    return {f"voltx_core.stages.{spec.name}": hashlib.sha256(Path(source).read_bytes()).hexdigest()}


def _flatten(path: str, value: Any, into: dict[str, Any]) -> None:
    if isinstance(value, dict) and path != "cost.rates_usd_per_hour":
        for key, inner in value.items():
            _flatten(f"{path}.{key}", inner, into)
    else:
        into[path] = list(value) if isinstance(value, tuple) else value
