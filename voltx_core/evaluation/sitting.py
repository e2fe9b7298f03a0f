"""A sitting: every system sits every exam it is meant for, and what was finished stays finished."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voltx_core.evaluation.examination import (
    Answer,
    Examiner,
    Marks,
    Sampling,
    System,
    answers_of,
    sit_round,
)
from voltx_core.evaluation.exams import COMPOSITIONS, Exam
from voltx_core.training.pieces import Pieces
from voltx_core.training.randomness import generator

if TYPE_CHECKING:
    from voltx_core.stages.contract import StageRun

SCOPE = "answers"
Answers = dict[tuple[str, str], list[Answer]]
"""By name of system and exam, one answer a problem."""


def sit(
    run: "StageRun",
    systems: Sequence[System],
    exams: Sequence[Exam],
    *,
    samples: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> Answers:
    """Examine all systems, resuming after the last finished round of an earlier process.

    A round is one program for every problem of an exam: the greedy ones first, then the samples.

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
    with Examiner.open(run.config, run.stop) as examiner, Pieces(run, SCOPE) as pieces:
        for at, (system, exam, n) in enumerate(rounds):
            run.observer.progress(at, len(rounds), "rounds", "examining")
            if at < pieces.done:
                continue
            run.stop.check()
            sampling = None
            if n:
                draw = generator(run.config.seed, "sitting", exam.name, n - 1)
                sampling = Sampling(temperature=temperature, top_p=top_p, generator=draw)
            pieces.add(1, rows=[sit_round(system, exam, examiner, sampling)])
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
