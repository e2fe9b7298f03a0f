"""Published sets that models are examined on, and never trained on."""

from dataclasses import asdict
from pathlib import Path

from voltx_core.data.jsonl import write_jsonl
from voltx_core.data.problem import Problem
from voltx_core.data.suites import (
    available_answer_suites,
    available_suites,
    load_answers,
    load_suite,
)

OTHER_LANGUAGES = ("javascript", "java", "rust", "go")
EXAMS: dict[str, tuple[str, str | None]] = {
    "humaneval": ("humaneval", None),
    "mbpp": ("mbpp", "test"),
    "apps": ("apps", "test"),
    **{
        f"{suite}-{language}": (f"{suite}-{language}", None)
        for suite in ("humaneval-x", "multipl-e")
        for language in OTHER_LANGUAGES
    },
}
"""Exam name to published suite and split. Of other languages those that no training set of ours
is a translation of: MBXP is one of MBPP, which is trained on."""


def exams_below(directory: Path) -> dict[str, list[Problem]]:
    """Every exam whose published files are there.

    Raises:
        DataError: A file is not as published.
    """
    here = available_suites(directory)
    found = {
        exam: load_suite(suite, directory, split)
        for exam, (suite, split) in EXAMS.items()
        if suite in here
    }
    return {exam: problems for exam, problems in found.items() if problems}


def write_answers(directory: Path, folder: Path) -> dict[str, int]:
    """Write the questions that are answered in words, one file a set; how many there are of each.

    Raises:
        DataError: A file is not as published.
    """
    counts: dict[str, int] = {}
    for name in available_answer_suites(directory):
        items = load_answers(name, directory)
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(path, map(asdict, items))
        counts[name] = len(items)
    return counts
