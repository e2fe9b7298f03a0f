"""The tasks a user names: a published file, a folder of them, a suite by name, own problems."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voltx_core.data.jsonl import read_jsonl, read_problems
from voltx_core.data.problem import Problem
from voltx_core.data.suites import apps
from voltx_core.data.suites.answers import AnswerItem
from voltx_core.data.suites.catalogue import (
    ANSWER_SUITES,
    NAMES,
    SUITES,
    available_answer_suites,
    available_suites,
    load_suite,
    recognise,
)
from voltx_core.data.suites.discovery import find_published
from voltx_core.errors import DataError

Task = Problem | AnswerItem

_OTHER_NUMBERING = {"mbxp-java": "MBJP", "mbxp-javascript": "MBJSP"}
"""Suites whose rows are published under another name than ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSet:
    """Tasks of one suite.

    Attributes:
        name: of the suite, or of the file for problems of your own.
        place: file or folder it was read from.
        tasks: all of them, with unique ids.
        solutions: published solutions by id, where there are more than ``Problem.solution``.
    """

    name: str
    place: Path
    tasks: tuple[Task, ...]
    solutions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for number, task in enumerate(self.tasks, 1):
            if task.id in seen:
                raise DataError(
                    f"{self.place}: task {number} has the id {task.id!r} of an earlier one. Ids "
                    f"tell samples where they belong: give every task its own."
                )
            seen.add(task.id)

    def references(self, problem: Problem) -> tuple[str, ...]:
        """The published solutions of a problem, none if it has none."""
        return self.solutions.get(problem.id, (problem.solution,) if problem.solution else ())

    def directory(self) -> "Directory":
        """What finds a task by any of the names that samples use for it."""
        return Directory(self.tasks)


class Directory:
    """Tasks by id, and by every other name that belongs to one of them alone.

    Those are the id as published (``Mbpp/2``, ``MBJP/2``), and what follows any slash in it
    (``2``, and ``0002`` as ``2``), in any case.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._by_id = {task.id: task for task in tasks}
        self._by_name: dict[str, Task | None] = {}
        for task in tasks:
            for name in _spellings(task):
                ours = self._by_name.setdefault(name, task) is task
                self._by_name[name] = task if ours else None

    def find(self, name: str) -> Task | None:
        """The task of that name; None when there is none, or more than one."""
        return self._by_id.get(name) or self._by_name.get(name.lower())

    def nearest(self, name: str) -> str | None:
        """An id that looks like a misspelt one."""
        near = difflib.get_close_matches(name, self._by_id, n=1)
        return near[0] if near else None


def open_sets(target: str, *, suite: str | None, data_dir: Path | None) -> list[ProblemSet]:
    """Read what the user named.

    Args:
        target: a file, a folder that holds published sets, or the name of a suite.
        suite: what kind of file it is, when its name does not say.
        data_dir: where published sets lie, for ``target`` as a suite's name.

    Raises:
        DataError: nothing of that name, or a file in no known format.
    """
    path = Path(target)
    if suite is not None and suite not in (*NAMES, *ANSWER_SUITES):
        raise _unknown(suite)
    if path.is_file():
        return [_of_file(path, suite or recognise(path))]
    if path.is_dir():
        names = [suite] if suite else [*available_suites(path), *available_answer_suites(path)]
        if not names:
            raise DataError(
                f"{path}: no published problem set lies below this folder. Known sets: "
                f"{', '.join((*NAMES, *ANSWER_SUITES))}."
            )
        return [_of_folder(name, path) for name in names]
    if target in NAMES or target in ANSWER_SUITES:
        if data_dir is None:
            raise DataError(
                f"{target} is a published set, and no folder to find it in is known. Set "
                f"VOLTX_DATA_DIR, or name the file itself."
            )
        return [_of_folder(target, data_dir)]
    if len(path.parts) == 1 and not path.suffix:
        raise _unknown(target)
    raise DataError(f"{target}: no such file or folder. Check the path.")


def _of_file(path: Path, name: str | None) -> ProblemSet:
    if name is None:
        first = next(iter(read_jsonl(path)), None)
        if first is not None and "query" not in first:
            raise DataError(
                f"{path}: neither the file's name nor its first row (keys "
                f"{', '.join(map(repr, sorted(first)))}) says what this is. Problems of your own "
                f"need id, query, solution and tests; for a published set say which: "
                f"--suite {'|'.join((*NAMES, *ANSWER_SUITES))}."
            )
        return _non_empty(ProblemSet(name=path.name, place=path, tasks=tuple(read_problems(path))))
    if name == "apps":
        return _apps(path, apps.read_apps_file(path))
    tasks: Sequence[Task]
    tasks = (ANSWER_SUITES[name] if name in ANSWER_SUITES else SUITES[name]).load(path)
    return _non_empty(ProblemSet(name=name, place=path, tasks=tuple(tasks)))


def _of_folder(name: str, folder: Path) -> ProblemSet:
    if name == "apps":
        return _apps(folder, apps.iterate_apps(folder))
    pattern = (ANSWER_SUITES[name] if name in ANSWER_SUITES else SUITES[name]).pattern
    path = find_published(folder, pattern)
    if path is None:
        load_suite(name, folder)  # says what is absent
        raise DataError(f"{folder}: no file {pattern}, so {name!r} cannot be loaded.")
    return _of_file(path, name)


def _apps(place: Path, tasks: Iterator[apps.AppsTask]) -> ProblemSet:
    # The same number may come with solutions from one place and without from another.
    chosen: dict[str, apps.AppsTask] = {}
    for task in tasks:
        known = chosen.get(task.problem.id)
        if known is None or (task.solutions and not known.solutions):
            chosen[task.problem.id] = task
    return _non_empty(
        ProblemSet(
            name="apps",
            place=place,
            tasks=tuple(chosen[key].problem for key in sorted(chosen)),
            solutions={key: task.solutions for key, task in chosen.items()},
        )
    )


def _non_empty(found: ProblemSet) -> ProblemSet:
    if not found.tasks:
        raise DataError(f"{found.place}: holds no task of {found.name}. Fetch the file again.")
    return found


def _spellings(task: Task) -> set[str]:
    parts = task.id.split("/")
    names = {"/".join(parts[start:]) for start in range(len(parts))}
    if task.source in _OTHER_NUMBERING:
        names.add(f"{_OTHER_NUMBERING[task.source]}/{parts[-1]}")
    if parts[-1].isdecimal():
        names.add(str(int(parts[-1])))
    return {name.lower() for name in names}


def _unknown(name: str) -> DataError:
    known = (*NAMES, *ANSWER_SUITES)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return DataError(
        f"{name!r} is no file, no folder and no published set.{hint} Sets: {', '.join(known)}."
    )
