"""A sitting: every system sits every exam it is meant for, and what was finished stays finished."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.errors import Interrupted
from voltx_core.evaluation.examination import Answer, Examiner, Sampling, System, examine
from voltx_core.evaluation.exams import COMPOSITIONS, Exam
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
    samples: int,
    temperature: float,
    top_p: float,
) -> Answers:
    """Examine all systems, resuming after the last finished pair of an earlier process.

    Ablations sit the held-out compositions only.

    Args:
        run: The stage: checkpoints, observer, stop flag, seed, judge settings.
        systems: Who is examined; names unique.
        exams: What they are asked; names unique.
        samples: Programs drawn a problem, for systems that sample.
        temperature: Of the samples.
        top_p: Nucleus of the samples.

    Raises:
        Interrupted: A stop was asked for; finished pairs were saved.
    """
    pairs = [
        (system, exam)
        for exam in exams
        for system in systems
        if system.kind != "ablation" or exam.name == COMPOSITIONS
    ]
    saved = run.checkpoints.restore(SCOPE)
    done: dict[str, list[dict[str, Any]]] = dict(saved.meta) if saved else {}
    kept = len(done)
    with Examiner.open(run.config, run.stop) as examiner:
        for at, (system, exam) in enumerate(pairs):
            run.observer.progress(at, len(pairs), "examinations", "examining")
            key = _key(system, exam)
            if key in done:
                continue
            rounds = [
                Sampling(
                    temperature=temperature,
                    top_p=top_p,
                    generator=generator(run.config.seed, "sitting", exam.name, n),
                )
                for n in range(samples)
            ]
            try:
                run.stop.check()
                done[key] = [answer.row() for answer in examine(system, exam, examiner, rounds)]
            except Interrupted:
                if len(done) > kept:
                    run.checkpoints.save(SCOPE, len(done), {}, done)
                raise
            if run.checkpoints.due():
                run.checkpoints.save(SCOPE, len(done), {}, done)
                kept = len(done)
    run.observer.progress(len(pairs), len(pairs), "examinations", "examining")
    return {
        (system.name, exam.name): [Answer.from_row(row) for row in done[_key(system, exam)]]
        for system, exam in pairs
    }


def _key(system: System, exam: Exam) -> str:
    return f"{system.name}/{exam.name}"
