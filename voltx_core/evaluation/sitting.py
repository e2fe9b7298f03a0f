"""A sitting: every system sits every exam it is meant for, and what was finished stays finished.

While the programs of one round are executed, those of the next are written: the judge works in
processes of its own, so neither the device nor they wait for the other to finish everything.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from voltx_core.evaluation.examination import (
    Answer,
    Examiner,
    Marks,
    Sampling,
    System,
    answers_of,
)
from voltx_core.evaluation.exams import COMPOSITIONS, Exam
from voltx_core.training.pieces import Pieces
from voltx_core.training.randomness import generator
from voltx_core.training.session import Session

SCOPE = "answers"
Answers = dict[tuple[str, str], list[Answer]]
"""By name of system and exam, one answer a problem."""


def sit(
    run: Session,
    systems: Sequence[System],
    exams: Sequence[Exam],
    *,
    samples: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> Answers:
    """Examine all systems, resuming after the last finished round of an earlier process.

    A round is one program for every problem of an exam: the greedy ones first, then the samples.
    An interruption loses the round that is being executed, and the one that is being written.

    Ablations sit the held-out compositions only.

    Args:
        run: The stage: checkpoints, observer, stop flag, seed, judge settings.
        systems: Who is examined; names unique.
        exams: What they are asked; names unique.
        samples: Programs drawn a problem, for systems that sample.
        temperature: Of the samples.
        top_p: Nucleus of the samples.

    Raises:
        Interrupted: A stop was asked for; finished rounds were saved.
    """
    pairs = [
        (system, exam)
        for exam in exams
        for system in systems
        if system.kind != "ablation" or exam.name == COMPOSITIONS
    ]
    rounds = [
        (system, exam, n)
        for system, exam in pairs
        for n in range(1 + (samples if system.samples else 0))
    ]
    with (
        Examiner.open(run.config, run.stop) as examiner,
        Pieces(run, SCOPE) as pieces,
        ThreadPoolExecutor(1, thread_name_prefix="examiner") as thread,
    ):
        executed: Future[Marks] | None = None
        for at, (system, exam, n) in enumerate(rounds):
            run.observer.progress(at, len(rounds), "rounds", "examining")
            if at < pieces.done:
                continue
            run.stop.check()
            sampling = Sampling()
            if n:
                draw = generator(run.config.seed, "sitting", exam.name, n - 1)
                sampling = Sampling(temperature=temperature, top_p=top_p, generator=draw)
            programs = system.write(exam.problems, sampling)
            if executed is not None:
                pieces.add(1, rows=[executed.result()])
            executed = thread.submit(examiner.marks, exam, programs)
        if executed is not None:
            pieces.add(1, rows=[executed.result()])
    run.observer.progress(len(rounds), len(rounds), "rounds", "examining")
    marks: dict[tuple[str, str], list[Marks]] = {}
    for (system, exam, _), found in zip(rounds, pieces.rows, strict=True):
        marks.setdefault((system.name, exam.name), []).append(found)
    return {
        (system.name, exam.name): answers_of(exam, *_parted(marks[system.name, exam.name]))
        for system, exam in pairs
    }


def _parted(rounds: list[Marks]) -> tuple[Marks, list[Marks]]:
    """The greedy round and the others."""
    return rounds[0], rounds[1:]
