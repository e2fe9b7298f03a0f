"""The life of a stage, the same for all of them, written once.

fingerprint -> preflight -> pull inputs -> resume -> run -> judge targets -> commit. Only the
manifest, written last, makes a stage exist.
"""

import fcntl
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voltx_core.config import VoltxConfig
from voltx_core.errors import Interrupted, StageError
from voltx_core.stages import graph
from voltx_core.stages.contract import Observer, StageReport, StageRun, StageSpec, StopFlag
from voltx_core.stages.fingerprint import code_digests, settings
from voltx_core.stages.machine import describe, device, pin_threads
from voltx_core.stages.observer import Fanout, Recorder
from voltx_core.stages.planning import Planned, input_digests, plan
from voltx_core.stages.preflight import preflight
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace
from voltx_core.store import ArtifactEntry, Manifest
from voltx_core.store.transfer import Mirror

if TYPE_CHECKING:
    from voltx_core.training.checkpoint import Checkpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How the execution of one stage ended."""

    name: str
    state: Literal["committed", "reused"]
    manifest: Manifest
    report: dict[str, Any]


def execute(
    name: str,
    config: VoltxConfig,
    workspace: Workspace,
    *,
    run_id: str,
    stop: StopFlag | None = None,
    observer: Observer | None = None,
    force: bool = False,
) -> Finished:
    """Make sure that the result of a stage exists, doing the work if it does not.

    Args:
        name: The stage.
        config: The resolved configuration of the run.
        workspace: Store and local home.
        run_id: The run whose lineage and live records this belongs to.
        stop: Polled by every loop of the stage.
        observer: Told about progress besides the run's own record.
        force: Do the work even though a committed result exists.

    Raises:
        StageError: Preflight failed or an input does not exist.
        Interrupted: A stop was asked for; progress is saved.
    """
    stop = StopFlag() if stop is None else stop  # an unset flag is falsy
    record = RunRecord(workspace.artifacts, run_id)
    spec = graph.specs()[name]
    ancestry = graph.select(only=[name])
    artifacts = workspace.artifacts
    # An attempt that died after its commit has done what was forced.
    force = force and record.of(name).get("state") != "committed"
    settled = {n: f for n, f in record.fingerprints().items() if n != name}
    planned = plan(
        config, artifacts, stages=ancestry, force=(name,) if force else (), pinned=settled
    )
    decided = planned[name]
    if decided.manifest is not None:
        return _reuse(spec, decided, workspace, record)
    if decided.fingerprint is None:
        raise StageError(
            f"Stage {spec.number} {name} cannot start: {decided.why}. "
            f"Run the stages before it: voltx run --until {name}."
        )
    inputs = input_digests(spec, planned)
    assert inputs is not None
    sources = {n: m for n in spec.needs if (m := planned[graph.makers()[n]].manifest)}
    work = workspace.work(name, decided.fingerprint)
    with _exclusive(work):
        committed = None if force else artifacts.manifest(name, decided.fingerprint)
        if committed is not None:  # another process was faster while this one waited
            return _reuse(spec, decided, workspace, record, committed)
        logger.info("%s %s runs: %s", spec.number, spec.title, decided.why)
        record.begin(
            name,
            fingerprint=decided.fingerprint,
            why=decided.why,
            pid=os.getpid(),
            host=os.uname().nodename,
        )
        try:
            return _work(
                spec,
                config,
                workspace,
                record,
                decided,
                inputs,
                sources,
                work,
                stop,
                observer,
                force,
            )
        except Interrupted as interruption:
            record.stage(name, state="interrupted", why=str(interruption), finished_at=_now())
            raise
        except BaseException as error:
            why = f"{type(error).__name__}: {error}"
            record.stage(name, state="failed", why=why, finished_at=_now())
            raise


def _work(
    spec: StageSpec,
    config: VoltxConfig,
    workspace: Workspace,
    record: RunRecord,
    decided: Planned,
    inputs: Mapping[str, str],
    sources: Mapping[str, Manifest],
    work: Path,
    stop: StopFlag,
    observer: Observer | None,
    force: bool,
) -> Finished:
    from voltx_core.training.checkpoint import Checkpoints

    artifacts, fingerprint = workspace.artifacts, decided.fingerprint
    assert fingerprint is not None
    started = time.monotonic()
    clock = _Timings()
    with clock("preflight"):
        preflight(spec, config, workspace)
    with clock("pull"):
        paths = {name: artifacts.fetch(manifest, name) for name, manifest in sources.items()}
    threads = config.compute.threads_alone if spec.alone else config.compute.threads
    pin_threads(threads)
    folder = work / "outputs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with clock("resume"):
        _pull_progress(spec.name, workspace, fingerprint, work / "progress")
    recorder = Recorder(work, lambda live: record.live(spec.name, live))
    with Mirror() as mirror:
        checkpoints = Checkpoints(
            work / "progress",
            interval_s=config.checkpoint.interval_s,
            keep=config.checkpoint.keep,
            notice_s=config.checkpoint.notice_s,
            mirror=lambda sequence, path: mirror.submit(
                lambda: _mirror(
                    workspace, spec.name, fingerprint, sequence, path, config.checkpoint.keep
                )
            ),
        )
        run = StageRun(
            spec=spec,
            config=StageRun.view(spec, config),
            inputs=paths,
            folder=folder,
            device=device(config.compute.device),
            checkpoints=checkpoints,
            observer=Fanout([recorder, *([observer] if observer else [])]),
            stop=stop,
        )
        with clock("run"):
            report: StageReport = graph.module(spec.name).run(run)
        mirror.drain()
    with clock("commit"):
        content = _report(spec, report, clock, started, checkpoints)
        (folder / "report.json").write_text(json.dumps(content, indent=1, sort_keys=True))
        curves = work / "metrics.jsonl"
        if curves.exists():
            shutil.copyfile(curves, folder / "metrics.jsonl")
        manifest = artifacts.commit(
            Manifest(
                stage=spec.name,
                number=spec.number,
                version=spec.version,
                fingerprint=fingerprint,
                config=settings(spec, config),
                inputs=dict(inputs),
                artifacts={a.name: ArtifactEntry(path=a.path) for a in spec.makes},
                files={},
                report_sha256=None,
                environment=describe(run.device, threads),
                code=code_digests(spec),
                created_at=_now(),
            ),
            folder,
            replace=force,
        )
    artifacts.prune_progress(spec.name, fingerprint, keep=0)
    shutil.rmtree(work, ignore_errors=True)
    record.stage(spec.name, state="committed", finished_at=_now(), report=_headline(content))
    logger.info("%s %s committed as %s", spec.number, spec.title, fingerprint)
    return Finished(name=spec.name, state="committed", manifest=manifest, report=content)


def _reuse(
    spec: StageSpec,
    decided: Planned,
    workspace: Workspace,
    record: RunRecord,
    manifest: Manifest | None = None,
) -> Finished:
    manifest = manifest or decided.manifest
    assert manifest is not None
    report = read_report(workspace, manifest)
    why = decided.why if decided.manifest else "another process just committed it"
    logger.info("%s %s reused: %s", spec.number, spec.title, why)
    known = record.of(spec.name)
    # A run that is taken up again finds its own results; they stay what this run made.
    if (known.get("state"), known.get("fingerprint")) != ("committed", manifest.fingerprint):
        record.stage(
            spec.name,
            state="reused",
            fingerprint=manifest.fingerprint,
            why=why,
            started_at=_now(),
            finished_at=_now(),
            report=_headline(report),
        )
    return Finished(name=spec.name, state="reused", manifest=manifest, report=report)


def read_report(workspace: Workspace, manifest: Manifest) -> dict[str, Any]:
    """The report a committed stage wrote."""
    path = workspace.artifacts.fetch_file(manifest, "report.json")
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def _pull_progress(stage: str, workspace: Workspace, fingerprint: str, local: Path) -> None:
    """Bring in a newer remote checkpoint than the local ones, if there is an intact one."""
    from voltx_core.errors import StoreError

    newest = max((int(p.name) for p in local.glob("[0-9]*") if p.name.isdigit()), default=0)
    for sequence in reversed(workspace.artifacts.progress_steps(stage, fingerprint)):
        if sequence <= newest:
            return
        try:
            workspace.artifacts.fetch_progress(stage, fingerprint, sequence, local / str(sequence))
        except StoreError as error:
            logger.warning("Remote checkpoint %s of %s passed over: %s", sequence, stage, error)
        else:
            logger.info("Took over checkpoint %s of %s from %s", sequence, stage, workspace.url)
            return


def _mirror(
    workspace: Workspace, stage: str, fingerprint: str, sequence: int, path: Path, keep: int
) -> None:
    workspace.artifacts.save_progress(stage, fingerprint, sequence, path)
    workspace.artifacts.prune_progress(stage, fingerprint, keep)


def _report(
    spec: StageSpec,
    report: StageReport,
    clock: "_Timings",
    started: float,
    checkpoints: "Checkpoints",
) -> dict[str, Any]:
    content = asdict(report)
    content["number"], content["name"], content["title"] = spec.number, spec.name, spec.title
    content["targets"] = [
        {
            "metric": r.target.metric,
            "title": r.target.title,
            "comparison": r.target.comparison,
            "value": r.target.value,
            "measured": r.measured,
            "met": r.met,
        }
        for r in (target.judge(report.metrics) for target in spec.targets)
    ]
    content["timings_s"] = {
        **{f"stage.{name}": seconds for name, seconds in clock.seconds.items()},
        **report.timings_s,
        "checkpoint.saves": sum(checkpoints.stall_seconds),
        "checkpoint.slowest": max(checkpoints.write_seconds, default=0.0),
        "total": time.monotonic() - started,
    }
    return content


def _headline(report: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a report that a table of stages shows."""
    return {key: report[key] for key in ("metrics", "targets", "timings_s")}


@contextmanager
def _exclusive(work: Path) -> Iterator[None]:
    """One process of this machine at a time works on one fingerprint; the kernel frees the lock."""
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Timings:
    """Seconds of named parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - started


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
