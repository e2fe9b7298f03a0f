"""APPS: 10,000 contest and interview problems in Python (Hendrycks et al. 2021, MIT).

Read from its own folders (``train/0000/question.txt`` and JSON beside it), from ``train.jsonl`` and
``test.jsonl`` (the hub's form, JSON inside JSON), and from ``apps_selected.jsonl`` (questions and
printed tests, no solutions). Whole programs are tested by stdin and stdout; call-based ones
(``fn_name``) by assertions. Published "solutions" are sometimes wrong: pass ``verify``.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from voltx_core.data.compression import bare_name
from voltx_core.data.jsonl import Row, read_jsonl
from voltx_core.data.problem import Problem
from voltx_core.data.python_source import parse_python
from voltx_core.data.suites.apps_tests import (
    CALL_SETUP,
    UnusableTests,
    parse_published_json,
    printed_tests,
    tests_from_cases,
)
from voltx_core.data.suites.discovery import walk_folders
from voltx_core.data.suites.python_entry import find_signature, lift_method
from voltx_core.data.suites.rows import suite_traits, tidy_code
from voltx_core.errors import DataError

log = logging.getLogger(__name__)

SPLITS = ("train", "test")
FILES = {"train.jsonl": "train", "test.jsonl": "test", "apps_selected.jsonl": "train"}
"""Published file names and their split; ``apps_selected`` uses the numbers of train."""

Verify = Callable[[Problem], bool]
"""Does the problem's ``solution`` pass the problem's tests? Given by whoever owns a judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppsTask:
    """One problem without a chosen solution, and every published solution for it."""

    problem: Problem
    solutions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A program for a problem, with the publisher's word on whether it passes."""

    problem_id: str
    code: str
    passes: bool


def load_apps(
    data_dir: Path,
    split: str | None = None,
    *,
    verify: Verify | None = None,
    max_tried: int = 20,
) -> list[Problem]:
    """Problems with a chosen solution each.

    Args:
        data_dir: searched with all its folders.
        split: ``train``, ``test``, or None for both.
        verify: the first solution it accepts is taken. Without it the first that is valid Python
            is, and the trait ``solution_verified`` says so.
        max_tried: how many solutions of one problem are verified before giving up.

    Returns:
        Problems by id. ``solution`` is "" where none was published or accepted; the trait
        ``solutions_rejected`` counts the refused ones.
    """
    chosen: dict[str, Problem] = {}
    for task in iterate_apps(data_dir, split):
        problem = _choose(task, verify, max_tried)
        known = chosen.get(problem.id)
        # The same number may come with solutions from one place and without from another.
        if known is None or (problem.solution and not known.solution):
            chosen[problem.id] = problem
    return [chosen[key] for key in sorted(chosen)]


def iterate_apps(data_dir: Path, split: str | None = None) -> Iterator[AppsTask]:
    """Stream every task found below ``data_dir``; one without usable tests is counted and logged.

    Raises:
        DataError: a file is not what APPS publishes.
    """
    rows = _published(data_dir)
    return _tasks(data_dir, (row for row in rows if split is None or row[1] == split))


def read_apps_file(path: Path) -> Iterator[AppsTask]:
    """Stream the tasks of one published file, ``train.jsonl``, ``test.jsonl`` or the like.

    Raises:
        DataError: it is not what APPS publishes.
    """
    return _tasks(path, _rows_of_file(path, FILES.get(bare_name(path), "train")))


def _tasks(source: Path, rows: Iterable[tuple[str, str, Row]]) -> Iterator[AppsTask]:
    unusable = 0
    for place, row_split, row in rows:
        try:
            yield _task(row, row_split)
        except UnusableTests as reason:
            unusable += 1
            log.debug("%s: %s", place, reason)
        except (KeyError, TypeError, AttributeError) as problem:
            raise DataError(
                f"{place}: not the published APPS format ({problem!r}). Fetch the original."
            ) from problem
    if unusable:
        log.warning("%s: %d APPS problems left out: no usable tests", source, unusable)


def read_candidates(data_dir: Path) -> Iterator[Candidate]:
    """Stream the labelled generated programs (``gen_solutions.json``, ``baseline_solutions.json``).

    They are right and wrong answers to real problems: material for calibration and the judge.
    """
    for folder, names in walk_folders(data_dir):
        if "question.txt" not in names:
            continue
        cases = _read_json(folder / "input_output.json") if "input_output.json" in names else {}
        for name in ("baseline_solutions.json", "gen_solutions.json"):
            listed = _read_json(folder / name) if name in names else []
            for entry in listed if isinstance(listed, list) else [listed]:
                code = tidy_code(entry["code"])
                if entry_point := cases.get("fn_name"):
                    code = lift_method(code, "Solution", entry_point)
                yield Candidate(
                    problem_id=_problem_id(_split_of_folder(folder), folder.name),
                    code=code,
                    passes=entry["result"] is True,
                )


def _choose(task: AppsTask, verify: Verify | None, max_tried: int) -> Problem:
    rejected = 0
    for code in task.solutions[:max_tried]:
        problem = replace(task.problem, solution=code)
        if verify(problem) if verify else parse_python(code) is not None:
            break
        rejected += 1
    else:
        problem = task.problem
    traits = {
        **problem.traits,
        "solution_verified": bool(problem.solution) and verify is not None,
        "solutions_rejected": rejected,
    }
    return replace(problem, traits=traits)


def _published(data_dir: Path) -> Iterator[tuple[str, str, Row]]:
    """Yield (place for messages, split, row in the hub's keys) of everything published."""
    for folder, names in walk_folders(data_dir):
        if "question.txt" in names and "input_output.json" in names:
            yield str(folder), _split_of_folder(folder), _row_of_folder(folder, names)
            continue
        bare = {bare_name(folder / name): name for name in reversed(names)}
        for name, split in FILES.items():
            if name in bare:
                yield from _rows_of_file(folder / bare[name], split)


def _rows_of_file(path: Path, split: str) -> Iterator[tuple[str, str, Row]]:
    for number, row in enumerate(read_jsonl(path), start=1):
        if not ({"question", "input_output"} <= row.keys() or {"test_list", "id"} <= row.keys()):
            if number == 1:
                return  # other sets publish files of this name too
            raise DataError(f"{path}:{number}: not the published APPS format. Fetch the original.")
        yield f"{path}:{number}", split, row


def _split_of_folder(folder: Path) -> str:
    return "test" if folder.parent.name == "test" else "train"


def _row_of_folder(folder: Path, names: list[str]) -> Row:
    row: Row = {
        "problem_id": folder.name,
        "question": (folder / "question.txt").read_text(encoding="utf-8"),
        "input_output": (folder / "input_output.json").read_text(encoding="utf-8"),
    }
    if "solutions.json" in names:
        row["solutions"] = _read_json(folder / "solutions.json")
    if "metadata.json" in names:
        row |= _read_json(folder / "metadata.json")
    if "starter_code.py" in names:
        row["starter_code"] = (folder / "starter_code.py").read_text(encoding="utf-8")
    return row


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as problem:
        raise DataError(f"{path}: not valid JSON ({problem}). Fetch the file again.") from problem


def _task(row: Row, split: str) -> AppsTask:
    starter = (row.get("starter_code") or "").strip()
    solutions = _solutions(row.get("solutions"))
    if "test_list" in row:
        number, question = row["id"], row["description"]
        tests, entry_point = printed_tests(row["test_list"], starter)
    else:
        number, question = row["problem_id"], row["question"]
        tests, entry_point = tests_from_cases(parse_published_json(row["input_output"]))
    if entry_point:
        # Interview sites wrap the function in a class; the tests call it at the top of the module.
        starter = _signature(entry_point, starter, solutions)
        solutions = tuple(lift_method(code, "Solution", entry_point) for code in solutions)
    problem = Problem(
        id=_problem_id(split, number),
        query=f"{question.strip()}\n\n{starter}".strip(),
        solution="",
        tests=tests,
        difficulty=row.get("difficulty"),
        source="apps",
        entry_point=entry_point,
        setup=CALL_SETUP if entry_point else "",
        traits=suite_traits(
            licence="MIT",
            split=split,
            exam=split == "test",
            train_allowed=split == "train",
            call_based=entry_point is not None,
        ),
    )
    return AppsTask(problem=problem, solutions=solutions)


def _signature(name: str, starter: str, solutions: tuple[str, ...]) -> str:
    """The line that tells a reader what to define: from the starter code, else from a solution."""
    sources = (f"{starter}\n{' ' * 12}pass\n", *solutions)
    return next(
        (line for code in sources if (line := find_signature(code, name))), f"def {name}(...):"
    )


def _solutions(published: str | Iterable[str] | None) -> tuple[str, ...]:
    """Distinct solutions in published order; the hub stores them as JSON inside a string."""
    if isinstance(published, str):
        published = parse_published_json(published) if published.strip() else ()
    return tuple(dict.fromkeys(tidy_code(code) for code in published or () if code.strip()))


def _problem_id(split: str, number: str | int) -> str:
    return f"apps/{split}/{int(number):04d}"
