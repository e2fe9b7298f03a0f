"""Exams: the problem sets a trained model is examined on, and what is known about their purity.

The data stage writes them: generated sets as ``heldout.jsonl``, ``compositions.jsonl`` and
``phrasing.jsonl``, published suites as ``exams/<suite>.jsonl``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from voltx_core.data.jsonl import read_problems
from voltx_core.data.problem import Problem

T = TypeVar("T")

HELD_OUT = "heldout"
COMPOSITIONS = "compositions"
PHRASING = ("seen-words", "unseen-words")
"""The two halves of the phrasing set: new sentences of known words, and new words."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A named list of problems."""

    name: str
    problems: tuple[Problem, ...]
    published: bool

    seen: frozenset[str] = frozenset()
    """Ids of problems that overlap the training problems (``checked_against``)."""

    def contaminates(self, problem: Problem) -> bool:
        """Whether the model may have been trained on a problem of this exam."""
        return bool(problem.traits.get("contaminated")) or problem.id in self.seen

    @property
    def contaminated(self) -> int:
        """Problems that the model may have been trained on."""
        return sum(self.contaminates(problem) for problem in self.problems)

    def metric(self, name: str) -> str:
        """Name of a metric on this exam; without a suffix it means the held-out problems."""
        return name if self.name == HELD_OUT else f"{name}_{self.name}"


def generated_exams(folder: Path, most: int) -> list[Exam]:
    """The generated sets in the problems folder, phrasing in its two halves.

    Args:
        folder: Artifact ``problems`` of the data stage.
        most: Largest size of one exam.

    Raises:
        DataError: A file is missing or malformed.
    """
    exams = [
        Exam(name, spread(list(read_problems(folder / f"{name}.jsonl")), most), published=False)
        for name in (HELD_OUT, COMPOSITIONS)
    ]
    phrasing = list(read_problems(folder / "phrasing.jsonl"))
    for words in PHRASING:
        chosen = [p for p in phrasing if p.traits.get("phrasing") == words]
        if chosen:
            exams.append(Exam(words, spread(chosen, most), published=False))
    return exams


def published_exams(
    folder: Path, suites: Sequence[str], most: int
) -> tuple[list[Exam], dict[str, str]]:
    """The published suites that are here, and why each of the others is not run.

    Problems in another language than Python are left out: this model writes Python, the other
    languages have stages of their own.
    """
    exams: list[Exam] = []
    absent: dict[str, str] = {}
    for suite in suites:
        path = folder / "exams" / f"{suite}.jsonl"
        if not path.is_file():
            absent[suite] = "its data is not on this machine (data.directory, VOLTX_DATA_DIR)"
            continue
        problems = [p for p in read_problems(path) if p.language == "python" and p.tests]
        if problems:
            exams.append(Exam(suite, spread(problems, most), published=True))
        else:
            absent[suite] = "it has no Python problem with tests"
    return exams, absent


def checked_against(exams: Sequence[Exam], training: Iterable[Problem]) -> list[Exam]:
    """The same exams, each knowing which of its problems overlap what was really trained on.

    The data stage drops overlapping training problems unless told otherwise; this looks again, at
    the problems that came through, so that no score depends on that having worked.
    """
    from voltx_core.data.overlap import find_overlap

    if not exams:
        return []
    found = find_overlap(training, {exam.name: exam.problems for exam in exams}).exams
    return [replace(exam, seen=frozenset(found[exam.name].exam_ids)) for exam in exams]


def spread(items: Sequence[T], most: int) -> tuple[T, ...]:
    """At most ``most`` of them, evenly spread: files are often sorted by difficulty."""
    if len(items) <= most:
        return tuple(items)
    return tuple(items[n * len(items) // most] for n in range(most))
