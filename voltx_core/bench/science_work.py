"""The work of `voltx bench science`: which stages must run, once each, and how they are run.

Two variants of one seed that agree on everything a stage and its ancestors read share that stage.
Every result is committed to the store of the bench, so a bench that was interrupted goes on where
it stopped, in the middle of a stage if need be.
"""

import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from voltx_core.bench.science_host import INTERRUPTED
from voltx_core.bench.science_variants import Variant
from voltx_core.config import VoltxConfig
from voltx_core.errors import Interrupted
from voltx_core.stages import graph
from voltx_core.stages.fingerprint import settings

HOST = "voltx_core.bench.science_host"
LOOK_S = 0.2
TYPICAL_S = {
    "data": 45, "translator": 240, "soft_core": 100, "baseline": 120, "codebook": 15, "router": 15,
    "certainty": 20, "safety": 30, "e2e": 45, "rlvf": 60, "sleep": 45,
}  # fmt: skip
"""CPU seconds at laptop size: only their ratios count, for the time that is left."""

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant with one seed."""

    variant: Variant
    seed: int


@dataclass(slots=True)
class Job:
    """One stage with one configuration of everything it depends on."""

    stage: str
    config: VoltxConfig
    seed: int
    after: list["Job"]
    key: str
    report: Report | None = None
    why: str | None = None
    """Why there is no report and never will be."""

    @property
    def settled(self) -> bool:
        return self.report is not None or self.why is not None

    @property
    def ready(self) -> bool:
        return not self.settled and all(job.report is not None for job in self.after)


@dataclass(slots=True)
class Work:
    """All jobs, in the order they are wanted, and which of them belong to a cell."""

    jobs: list[Job] = field(default_factory=list)
    cells: dict[tuple[str, int], dict[str, Job]] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Iterable[Cell], preset: str, overrides: Sequence[str]) -> "Work":
        """The jobs of cells; equal ones are the same job."""
        work, known = cls(), {}
        for cell in cells:
            config = cell.variant.config(preset, cell.seed, overrides)
            # Two stages run side by side, and the number of threads changes the last bits.
            compute = config.compute.model_copy(update={"threads": 1, "threads_alone": 1})
            config = config.model_copy(update={"compute": compute})
            own: dict[str, Job] = {}
            for stage in graph.select(only=cell.variant.stages):
                key = _key(stage, config)
                if key not in known:
                    after = [own[parent] for parent in graph.parents(stage)]
                    known[key] = Job(stage, config, cell.seed, after, key)
                    work.jobs.append(known[key])
                own[stage] = known[key]
            work.cells[cell.variant.name, cell.seed] = own
        return work

    def reports(self, variant: str, seed: int) -> dict[str, Report]:
        """What the stages of a cell reported, as far as they ran."""
        jobs = self.cells.get((variant, seed), {})
        return {name: job.report for name, job in jobs.items() if job.report is not None}

    def why(self, variant: str, seed: int) -> str | None:
        """Why a cell is not whole, or None."""
        jobs = self.cells.get((variant, seed), {})
        return next((job.why for job in jobs.values() if job.why is not None), None)

    def progress(self) -> tuple[int, int]:
        """Typical seconds done, and in all."""
        done = sum(TYPICAL_S.get(job.stage, 30) for job in self.jobs if job.settled)
        return done, sum(TYPICAL_S.get(job.stage, 30) for job in self.jobs)


def run(
    work: Work,
    folder: Path,
    *,
    workers: int,
    on_progress: Callable[[int, int], None],
    on_end: Callable[[Job, float], None],
) -> None:
    """Run every job, each in a process of its own, as many at a time as there are workers.

    Args:
        work: Gets the reports, and reasons where there is none.
        folder: Holds the store that results are kept in.
        workers: Stages side by side.
        on_progress: Told (done, all) in typical seconds.
        on_end: Told each job that has ended and its wall seconds.

    Raises:
        Interrupted: SIGTERM or SIGINT; what runs has saved its progress.
    """
    running: list[_Running] = []
    asked: list[str] = []

    def ask(number: int, _: object) -> None:
        asked.append(signal.Signals(number).name)

    before = {wish: signal.signal(wish, ask) for wish in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not all(job.settled for job in work.jobs):
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                each.conclude()
                if each.interrupted:
                    asked.append("a stage was asked to stop")
                    continue
                _give_up_after_failures(work.jobs)
                on_end(each.job, time.monotonic() - each.began)
                on_progress(*work.progress())
            if asked:
                break
            busy = {id(each.job) for each in running}
            for job in work.jobs:
                if len(running) < workers and job.ready and id(job) not in busy:
                    running.append(_Running(job, folder))
            time.sleep(LOOK_S)
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                each.process.terminate()
        for each in running:
            each.process.wait()
            each.close()
        for wish, handler in before.items():
            signal.signal(wish, handler)
    if asked:
        raise Interrupted(f"{asked[0]}: progress is saved; the same command goes on from there.")


class _Running:
    """A job in its process."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.began, self.interrupted = job, time.monotonic(), False
        self._said: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in close)
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        run_id = f"science-{job.stage}-{job.key}"
        command = [str(folder), run_id, job.stage, job.config.model_dump_json()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", HOST, *command],
            stdin=subprocess.PIPE,  # never written to: it closes when the bench ends
            stdout=self._said,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C reaches the bench, which asks each stage in turn
        )

    def conclude(self) -> None:
        """Take in the report, or why there is none."""
        code = self.process.returncode
        self.interrupted = code == INTERRUPTED
        said, errors = _read(self._said).strip(), _read(self._errors).strip().splitlines()
        if code == 0:
            self.job.report = json.loads(said)
        elif not self.interrupted:
            last = errors[-1] if errors else f"its process ended with {code}"
            self.job.why = f"{self.job.stage} with seed {self.job.seed} failed: {last}"
        self.close()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self._said.close()
        self._errors.close()


def _give_up_after_failures(jobs: Sequence[Job]) -> None:
    """What needs something that failed will not run either; jobs come after what they need."""
    for job in jobs:
        failed = next((parent.why for parent in job.after if parent.why is not None), None)
        if failed is not None and job.why is None:
            job.why = failed


def _key(stage: str, config: VoltxConfig) -> str:
    """Equal for equal work: the settings that the stage and everything before it read."""
    read = {name: settings(graph.specs()[name], config) for name in graph.select(only=[stage])}
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()[:12]


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
