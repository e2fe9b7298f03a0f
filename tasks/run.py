"""One run of the graph, as every task of it knows it, and how it begins."""

import logging
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from prefect.runtime import flow_run

from tasks.ghosts import remove_ghosts
from tasks.outages import insistently
from tasks.pulse import Pulse, key_of
from voltx_core.config import VoltxConfig, resolve
from voltx_core.stages import graph
from voltx_core.stages.estimates import forecast
from voltx_core.stages.planning import plan
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

logger = logging.getLogger("voltx_core.run")

NAMED = re.compile(r"\d{4}-\d{2}-\d{2}-\d{4}-[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for, and under which names its results are found."""

    run_id: str
    """Readable and unique; key of the run's record in the store, name of the flow run."""
    root: str
    """Id of the parent flow run."""
    asked_at: str
    """When somebody asked for the run; its wall time counts from here."""
    preset: str
    overrides: Mapping[str, Any]
    stages: tuple[str, ...]
    force: tuple[str, ...] = ()
    rehearse_s: float | None = None
    """Seconds each stage waits instead of working; None for real work."""

    def config(self) -> VoltxConfig:
        """The resolved configuration; the same function as in `voltx plan`."""
        return resolve(self.preset, self.overrides)


def run_name() -> str:
    """Name of the parent flow run, such as ``2026-11-20-1042-swift-heron``.

    Date and time of its creation before the name that Prefect drew; a restarted run keeps its
    name, because results are recorded under it.
    """
    drawn = str(flow_run.name)
    if NAMED.fullmatch(drawn):
        return drawn
    return f"{flow_run.scheduled_start_time.astimezone():%Y-%m-%d-%H%M}-{drawn}"


@contextmanager
def begin(
    preset: str,
    overrides: Mapping[str, Any] | None,
    only: Sequence[str] | None,
    until: str | None,
    force: Sequence[str] | None,
    rehearse_s: float | None = None,
) -> Iterator[Run]:
    """Resolve what was asked for, write the record of the run, and beat while it goes on.

    Raises:
        ConfigError: The request names unknown settings, stages or a wrong value.
    """
    config = resolve(preset, overrides or {})
    stages = graph.select(only or (), until)
    forced = tuple(graph.named(text) for text in force or ())
    run = Run(
        run_id=run_name(),
        root=str(flow_run.id),
        asked_at=flow_run.scheduled_start_time.astimezone(UTC).isoformat(timespec="milliseconds"),
        preset=preset,
        overrides=dict(overrides or {}),
        stages=stages,
        force=forced,
        rehearse_s=rehearse_s,
    )
    if flow_run.run_count > 1:
        remove_ghosts(run.root)
    artifacts = Workspace.open().artifacts
    record = RunRecord(artifacts, run.run_id)
    if insistently(record.read) is None:  # a restarted parent finds the record of its first life
        url = flow_run.ui_url
        insistently(lambda: record.start(config, stages, flow_run_id=run.root, url=url))
        _expect(run, config, record)
    with _leaving_at_once(), Pulse(artifacts, key_of(run.run_id, "graph"), flow_run=run.root):
        yield run


def _expect(run: Run, config: VoltxConfig, record: RunRecord) -> None:
    """Write down what `voltx plan` would say now; the report sets beside it what it took."""
    workspace = Workspace.open()
    try:
        planned = plan(config, workspace.artifacts, stages=run.stages, force=run.force)
        record.expect(forecast(planned, config, workspace))
    except Exception as error:  # nothing but a table of the report depends on it
        logger.warning("The plan of this run is not recorded: %s", error)


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """Within, SIGTERM ends this process where it stands.

    A graph has nothing to save, and its threads would wait for stages that nobody starts again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
