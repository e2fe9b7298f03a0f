"""Answering an exam: written and judged at once, as 5.3 does it, beside one after the other.

The same trained model answers the same problems with the same draws and the same judge; verdicts
of an earlier turn are not kept.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voltx_core.bench.scaling_material import Material
from voltx_core.bench.session import BenchSession
from voltx_core.evaluation.examination import Answer, Examiner, Sampling, System, examine
from voltx_core.evaluation.exams import Exam, generated_exams
from voltx_core.evaluation.sitting import sit
from voltx_core.evaluation.systems import FrameWriter
from voltx_core.training.randomness import generator

OVERLAPPED, SEQUENTIAL = "overlapped", "sequential"
CONTENDERS = (OVERLAPPED, SEQUENTIAL)
TEMPERATURE, TOP_P = 0.8, 0.95


def compare(
    material: Material,
    folder: Path,
    *,
    problems: int,
    samples: int,
    repeat: int,
    on_turn: Callable[[str], object],
) -> dict[str, Any]:
    """Answer the held-out problems and compositions in both ways, in turns.

    Args:
        material: The model.
        folder: For what is written meanwhile.
        problems: Of each exam, at most.
        samples: Programs drawn a problem, beside the greedy one.
        repeat: Turns of each.
        on_turn: Told who is next.

    Returns:
        Seconds of each turn by contender; how many programs were written and judged in each; and
        whether all turns came to the same verdicts.
    """
    exams = generated_exams(material.paths["problems"], problems)[:2]
    translator, core = material.translator(), material.core()
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    answers: list[list[Answer]] = []
    for number in range(repeat):
        for name in CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]:
            on_turn(name)
            # One of its own for each turn: it remembers the frames of the last problems.
            writer = FrameWriter(translator, core)
            system = System(name="it", label="it", kind="model", write=writer.write, samples=True)
            session = BenchSession.open(
                material.config, folder / f"{name}-{number}", device=material.device,
                say=lambda _: None,
            )  # fmt: skip
            answer = _at_once if name == OVERLAPPED else _one_by_one
            began = time.perf_counter()
            answers.append(answer(session, system, exams, samples))
            seconds[name].append(time.perf_counter() - began)
    return {
        "seconds": seconds,
        "programs": sum(len(exam.problems) for exam in exams) * (1 + samples),
        "exams": {exam.name: len(exam.problems) for exam in exams},
        "same_verdicts": all(found == answers[0] for found in answers),
        "solved_greedily": sum(answer.greedy for answer in answers[0]) / len(answers[0]),
    }


def _at_once(
    session: BenchSession, system: System, exams: list[Exam], samples: int
) -> list[Answer]:
    found = sit(session, [system], exams, samples=samples, temperature=TEMPERATURE, top_p=TOP_P)
    return [answer for exam in exams for answer in found[system.name, exam.name]]


def _one_by_one(
    session: BenchSession, system: System, exams: list[Exam], samples: int
) -> list[Answer]:
    found: list[Answer] = []
    with Examiner.open(session.config) as examiner:
        for exam in exams:
            rounds = [
                Sampling(
                    temperature=TEMPERATURE,
                    top_p=TOP_P,
                    generator=generator(session.config.seed, "sitting", exam.name, n),
                )
                for n in range(samples)
            ]
            found += examine(system, exam, examiner, rounds)
    return found
