"""What carries over from Python to another language, on the same tasks in both.

Three ways to know the language: not at all (programs of the model that knows Python only), with
Python's encoder and soft core behind a decoder of the language, and a decoder of the language
alone behind an encoder that learned nothing. The last two were trained on the same programs for
as many steps; what lies between them is transfer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from voltx_core.data.problem import Problem
from voltx_core.evaluation.intervals import bootstrap, bootstrap_difference
from voltx_core.evaluation.trained_on import ALONE, BOTH, PYTHON
from voltx_core.frame import TensorFrame
from voltx_core.judge import Verdict
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.translator.translator import Translator

LOOP, TRUE, UNTRAINED = "RAR loop", "true solution frame (upper bound)", "untrained query frame"

Judged = Callable[[Sequence[Problem], Sequence[str]], list[Verdict]]


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who writes programs.

    Attributes:
        python: The model's own translator.
        both: Its encoder, and a decoder of the language.
        alone: An untrained encoder, and a decoder that learned from its frames; None when no such
            control was trained.
    """

    python: Translator
    both: Translator
    alone: Translator | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """What an exam found: rows of the table, and metrics without the language's name."""

    rows: list[dict[str, Any]]
    metrics: dict[str, float | None]


def solved(core: SoftCore, query: TensorFrame) -> TensorFrame:
    """Where the loop ends."""
    with torch.no_grad():
        return core.solve(query).frame


def examined(
    suite: str,
    language: str,
    problems: Sequence[Problem],
    python: Sequence[Problem],
    speakers: Speakers,
    core: SoftCore,
    judged: Judged,
) -> Transfer:
    """Let everybody answer the same tasks.

    Args:
        suite: Name of the exam.
        language: Title of the language.
        problems: In the language.
        python: The same tasks in Python, in the same order.
        speakers: Who answers.
        core: Moves the frames of all but the untrained.
        judged: Executes one program a problem.
    """
    queries = [problem.query for problem in python]
    reached = solved(core, speakers.python.encode(queries))
    truth = speakers.python.encode([problem.solution for problem in python])
    asked = speakers.python.asked(queries)
    in_python = [written.text for written in speakers.python.write(reached, asked=asked)]
    rows: list[dict[str, Any]] = []
    passed: dict[tuple[str, str], list[float]] = {}

    def take(
        title: str, knows: str, frame: str, asked: Sequence[Problem], codes: Sequence[str]
    ) -> None:
        verdicts = judged(asked, codes)
        passed[title, knows + frame] = [float(verdict.passed) for verdict in verdicts]
        rows.append(score_row(suite, title, knows, frame, asked, verdicts))

    take(language, BOTH, LOOP, problems, _texts(speakers.both, reached))
    take(language, BOTH, TRUE, problems, _texts(speakers.both, truth))
    take(language, PYTHON, LOOP, problems, in_python)
    if speakers.alone is not None:
        codes = _texts(speakers.alone, speakers.alone.encode(queries))
        take(language, ALONE, UNTRAINED, problems, codes)
    take("Python", PYTHON, LOOP, python, in_python)
    metrics: dict[str, float | None] = {
        "pass@1": rows[0]["pass@1"],
        "python_only_pass@1": rows[2]["pass@1"],
    }
    if speakers.alone is not None:
        gain = bootstrap_difference(
            passed[language, BOTH + LOOP],
            passed[language, ALONE + UNTRAINED],
            tasks=[problem.task for problem in problems],
        )
        metrics |= {
            "alone_pass@1": rows[3]["pass@1"],
            "transfer": gain.mean,
            "transfer_low": gain.low,
            "transfer_high": gain.high,
        }
    return Transfer(rows, metrics)


def score_row(
    suite: str,
    language: str,
    knows: str,
    frame: str,
    problems: Sequence[Problem],
    verdicts: Sequence[Verdict],
) -> dict[str, Any]:
    """One line of the table: who answered what, and how much of it passed."""
    passed = [float(verdict.passed) for verdict in verdicts]
    interval = bootstrap(passed, tasks=[problem.task for problem in problems])
    return {
        "suite": suite,
        "language": language,
        "trained": knows,
        "frame": frame,
        "tests ran": "/".join(sorted({verdict.assurance for verdict in verdicts})),
        "n": interval.n,
        "pass@1": round(interval.mean, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
    }


def _texts(speaker: Translator, frame: TensorFrame) -> list[str]:
    return [written.text for written in speaker.write(frame)]
