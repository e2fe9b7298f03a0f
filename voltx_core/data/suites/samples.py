"""What a model wrote for the tasks of a set, in the formats of human-eval and EvalPlus.

- JSON lines, plain or compressed: ``{"task_id": ..., "completion": ...}`` (the text goes on where
  the prompt ends) or ``{"task_id": ..., "solution": ...}`` (a whole program). One line a sample;
  several lines of one task are its samples in order. Other keys are ignored.
- EvalPlus's folder: ``HumanEval_0/0.py``, one file a sample, each a whole program.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voltx_core.data.jsonl import read_numbered
from voltx_core.data.problem import Problem
from voltx_core.data.suites.completion import assemble
from voltx_core.data.suites.problem_sets import Directory, ProblemSet, Task
from voltx_core.errors import DataError

SUFFIXES = (".py", ".js", ".java", ".rs", ".go", ".txt")
IDENTITIES = ("sample_id", "completion_id")
"""Keys under which some tools number the samples of a task; a number that returns is an error."""
ERRORS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt at one task.

    Attributes:
        task: what was attempted.
        index: 0 for the task's first sample.
        code: the program to judge, or the answer to compare.
        place: file and line it came from.
    """

    task: Task
    index: int
    code: str
    place: str

    @property
    def digest(self) -> str:
        """Names the text: equal digests mean equal programs."""
        return hashlib.sha256(self.code.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    task_id: str
    text: str
    whole: bool
    place: str
    identity: str | None = None


def read_samples(path: Path, problems: ProblemSet) -> list[Sample]:
    """Read and match all samples.

    Raises:
        DataError: names file and line of every (or the first few) unreadable line, unknown task
            and repeated sample number; or says that nothing is there.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check the path of the samples.")
    directory, counts, faults = problems.directory(), dict[str, int](), list[str]()
    seen: dict[tuple[str, str], str] = {}
    samples = []
    for entry in _folder(path, directory) if path.is_dir() else _file(path):
        task = directory.find(entry.task_id)
        if task is None:
            faults.append(_unknown(entry, directory, problems))
            continue
        if entry.identity is not None:
            first = seen.setdefault((task.id, entry.identity), entry.place)
            if first != entry.place:
                faults.append(
                    f"{entry.place}: sample {entry.identity} of task {task.id!r} is here a second "
                    f"time; the first is at {first}."
                )
        index = counts.get(task.id, 0)
        counts[task.id] = index + 1
        code = (
            assemble(task, entry.text, whole=entry.whole)
            if isinstance(task, Problem)
            else entry.text
        )
        samples.append(Sample(task, index, code, entry.place))
    if faults:
        more = len(faults) - ERRORS_SHOWN
        listed = "\n  ".join(faults[:ERRORS_SHOWN] + ([f"and {more} more"] if more > 0 else []))
        raise DataError(
            f"{path}: {len(faults)} samples cannot be matched to {problems.name}:\n  {listed}\n"
            f"Mend these lines, or name the problem set the samples were made for."
        )
    if not samples:
        raise DataError(
            f"{path}: holds no samples. Write one JSON object a line: task_id and "
            f"completion (or solution)."
        )
    return samples


def _unknown(entry: _Entry, directory: Directory, problems: ProblemSet) -> str:
    near = directory.nearest(entry.task_id)
    hint = f" Did you mean {near!r}?" if near else f" Its tasks look like {problems.tasks[0].id!r}."
    return f"{entry.place}: no task {entry.task_id!r} in {problems.name}.{hint}"


def _file(path: Path) -> Iterator[_Entry]:
    for number, row in read_numbered(path):
        place = f"{path}:{number}"
        task_id = row.get("task_id")
        if isinstance(task_id, bool) or not isinstance(task_id, str | int):
            raise DataError(
                f"{place}: the key 'task_id' is missing or no text. A sample is one object a line "
                f"with task_id and completion (or solution); this one has "
                f"{', '.join(map(repr, sorted(row))) or 'no key'}."
            )
        # As in EvalPlus: a row with both has the solution made of the completion.
        text = row.get("solution", row.get("completion"))
        if not isinstance(text, str):
            raise DataError(
                f"{place}: task {str(task_id)!r} has neither a text 'completion' nor a text "
                f"'solution'. Write the model's text under one of them."
            )
        identity = next((str(row[key]) for key in IDENTITIES if row.get(key) is not None), None)
        yield _Entry(str(task_id), text, "solution" in row, place, identity)


def _folder(path: Path, directory: Directory) -> Iterator[_Entry]:
    for folder in sorted(path.iterdir()):
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        # A slash cannot stand in a file name, so EvalPlus writes HumanEval/0 as HumanEval_0.
        name = folder.name
        task_id = name if directory.find(name) else name.replace("_", "/", 1)
        files = [file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file()]
        for file in sorted(files, key=_natural_order):
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError as problem:
                raise DataError(f"{file}: not UTF-8 ({problem}). Save it as UTF-8.") from None
            yield _Entry(task_id, text, True, str(file), file.stem)


def _natural_order(file: Path) -> list[str]:
    """``2.py`` before ``10.py``."""
    parts = re.split(r"(\d+)", file.name)
    return [part.zfill(20) if part.isdecimal() else part for part in parts]
