"""The life of a stage, the same for all of them, written once.

fingerprint -> preflight -> pull inputs -> resume -> run -> judge targets -> commit. Only the
manifest, written last, makes a stage exist.
"""

import fcntl
import json
import logging
import math
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
from voltx_core.errors import BudgetError, Interrupted, StageError, StoreError
from voltx_core.stages import graph
from voltx_core.stages.contract import Observer, StageReport, StageRun, StageSpec, StopFlag
from voltx_core.stages.fingerprint import code_digests, settings
from voltx_core.stages.machine import boot, describe, device, kind, pin_threads
from voltx_core.stages.observer import CURVES, EVENTS, Fanout, Recorder
from voltx_core.stages.planning import Planned, input_digests, plan
from voltx_core.stages.preflight import preflight
from voltx_core.stages.remote_progress import RemoteProgress, take_over
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.spending import Meter, refuse_when_spent, tell
from voltx_core.stages.timings import Timings, earlier, leaving_s
from voltx_core.stages.workspace import Workspace
from voltx_core.store import ArtifactEntry, ArtifactStore, Manifest, Mirror, finite

if TYPE_CHECKING:
    from voltx_core.training.checkpoint import Checkpoints

logger = logging.getLogger(__name__)

LOCK_LOOK_S = 0.5


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
        BudgetError: The budget of the run is spent; progress is saved.
    """
    stop = StopFlag() if stop is None else stop  # an unset flag is falsy
    record = RunRecord(workspace.artifacts, run_id)
    spec = graph.specs()[name]
    ancestry = graph.select(only=[name])
    artifacts = workspace.artifacts
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
            f"Run the stages before it: {graph.command(name)}."
        )
    inputs = input_digests(spec, planned)
    assert inputs is not None
    sources = {n: m for n in spec.needs if (m := planned[graph.makers()[n]].manifest)}
    work = workspace.work(name, decided.fingerprint)
    with _exclusive(work, stop):
        committed = artifacts.manifest(name, decided.fingerprint)
        # Another process was faster while this one waited, or an earlier attempt of this run
        # died after its commit; it has done what was forced then.
        if committed is not None and (not force or committed.run_id == run_id):
            _forget_progress(artifacts, name, decided.fingerprint, work)
            return _reuse(spec, decided, workspace, record, committed)
        if force and not record.of(name).get("started_at"):
            # What is left of other runs is not what was asked for.
            _forget_progress(artifacts, name, decided.fingerprint, work)
        try:
            refuse_when_spent(record, config.cost, f"Stage {spec.number} {name}")
        except BudgetError as error:
            record.stage(name, state="stopped", why=str(error))
            raise
        logger.info("%s %s runs: %s", spec.number, spec.title, decided.why)
        record.begin(
            name,
            fingerprint=decided.fingerprint,
            why=decided.why,
            pid=os.getpid(),
            host=os.uname().nodename,
            boot=boot(),
            kind=kind(),
        )
        meter = Meter(record, config.cost, stop, name)
        try:
            with meter:
                finished = _work(
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
            left_s = leaving_s(stop, config.checkpoint.notice_s)
            if meter.why is not None:
                why = f"Stage {spec.number} {name} stopped. {meter.why}"
                record.stage(name, state="stopped", why=why, finished_at=_now(), left_s=left_s)
                raise BudgetError(why) from interruption
            why = str(interruption)
            record.stage(name, state="interrupted", why=why, finished_at=_now(), left_s=left_s)
            raise
        except BaseException as error:
            why = f"{type(error).__name__}: {error}"
            record.stage(name, state="failed", why=why, finished_at=_now())
            raise
        tell(record, config.cost)
        return finished


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
    from voltx_core.training.origin import Origin

    artifacts, fingerprint = workspace.artifacts, decided.fingerprint
    assert fingerprint is not None
    started = time.monotonic()
    clock = Timings()
    with clock("preflight"):
        preflight(spec, config, workspace)
    with clock("pull"):
        paths = {name: artifacts.fetch(manifest, name) for name, manifest in sources.items()}
    threads = config.compute.threads_alone if spec.alone else config.compute.threads
    pin_threads(threads)
    folder = work / "outputs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    origin = Origin(
        fingerprint=fingerprint, settings=settings(spec, config), code=code_digests(spec)
    )
    with clock("resume"):
        take_over(artifacts, spec.name, fingerprint, work / "progress", origin)
    with (
        Recorder(work, lambda live: record.live(spec.name, live)) as recorder,
        Mirror(capacity=1) as mirror,
    ):
        remote = RemoteProgress(
            artifacts,
            spec.name,
            fingerprint,
            keep=config.checkpoint.keep,
            outbox=work / "outbox",
            mirror=mirror,
        )
        checkpoints = Checkpoints(
            work / "progress",
            interval_s=config.checkpoint.interval_s,
            keep=config.checkpoint.keep,
            notice_s=config.checkpoint.notice_s,
            mirror=remote.send,
            mirror_lag_s=remote.lag_s,
            origin=origin,
            log=work / CURVES,
            began=started,
        )
        checkpoints.resume()
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
        with clock("run"), checkpoints:
            report: StageReport = graph.module(spec.name).run(run)
    with clock("commit"):
        content = _report(spec, report, clock, started, checkpoints)
        content["timings_s"] |= earlier(record.of(spec.name))
        text = json.dumps(finite(content), indent=1, sort_keys=True, allow_nan=False)
        (folder / "report.json").write_text(text)
        if (work / CURVES).exists():
            shutil.copyfile(work / CURVES, folder / CURVES)
        if (work / EVENTS).exists():
            shutil.copytree(work / EVENTS, folder / EVENTS)
        manifest = artifacts.commit(
            Manifest(
                stage=spec.name,
                number=spec.number,
                version=spec.version,
                fingerprint=fingerprint,
                config=dict(origin.settings),
                inputs=dict(inputs),
                artifacts={a.name: ArtifactEntry(path=a.path) for a in spec.makes},
                files={},
                report_sha256=None,
                environment=describe(run.device, threads),
                code=dict(origin.code),
                created_at=_now(),
                run_id=record.run_id,
            ),
            folder,
            replace=force,
            poll=stop.check,
        )
    # The stage exists from here on: nothing that fails below may make it look failed.
    _note(record, spec.name, state="committed", finished_at=_now(), report=_headline(content))
    _forget_progress(artifacts, spec.name, fingerprint, work)
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
    if manifest.run_id == record.run_id:
        # Taken up again, a run finds its own results; they stay what this run made.
        if record.of(spec.name).get("state") != "committed":
            record.stage(
                spec.name,
                state="committed",
                fingerprint=manifest.fingerprint,
                finished_at=manifest.created_at,
                report=_headline(report),
            )
    else:
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


def _report(
    spec: StageSpec,
    report: StageReport,
    clock: Timings,
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
    content["notes"] += [
        f"{name} is not a number: the work diverged."
        for name, value in report.metrics.items()
        if value is not None and not math.isfinite(value)
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


def _note(record: RunRecord, stage: str, **facts: Any) -> None:
    """Write down what is already so; the store has it anyway, and a reuse notes it again."""
    try:
        record.stage(stage, **facts)
    except StoreError as error:
        logger.warning("The record of %s could not be written: %s", stage, error)


def _forget_progress(artifacts: ArtifactStore, stage: str, fingerprint: str, work: Path) -> None:
    """Free the progress of a finished stage, here and in the store."""
    if work.exists():
        shutil.rmtree(work, ignore_errors=True)
    try:
        artifacts.prune_progress(stage, fingerprint, keep=0)
    except StoreError as error:
        logger.warning("Progress of %s stays in the store: %s", stage, error)


@contextmanager
def _exclusive(work: Path, stop: StopFlag) -> Iterator[None]:
    """One process of this machine at a time works on one fingerprint; the kernel frees the lock.

    Raises:
        Interrupted: A stop was asked for while another process had it.
    """
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.with_suffix(".lock").open("w") as file:
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    logger.info("Another process of this machine works on %s; waiting", work)
                waited = True
                stop.check()
                time.sleep(LOCK_LOOK_S)
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
