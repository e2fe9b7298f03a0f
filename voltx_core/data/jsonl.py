"""JSON lines: read with validation and bounded memory, written atomically and canonically.

A bad line is an error that names the file, the line and the remedy; with ``on_bad="skip"`` it is
counted in a `BadLines` report and logged, never dropped in silence.
"""

import difflib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from voltx_core.data.compression import iterate_lines, write_atomically
from voltx_core.data.problem import LANGUAGES, Problem, StdioTest, Test
from voltx_core.errors import DataError

log = logging.getLogger(__name__)

OnBad = Literal["raise", "skip"]
Row = dict[str, Any]
T = TypeVar("T")

REQUIRED = ("id", "query", "solution", "tests")
OPTIONAL_TEXTS = ("difficulty", "source", "entry_point")
KEYS = (*REQUIRED, "language", *OPTIONAL_TEXTS, "setup", "traits")
EXAMPLES_KEPT = 20
LOGGED_ONE_BY_ONE = 5


@dataclass(slots=True)
class BadLines:
    """What a tolerant reader left out: how many lines, and the first reasons."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, message: str) -> None:
        """Count one bad line; keep its message while there is room."""
        self.count += 1
        if len(self.examples) < EXAMPLES_KEPT:
            self.examples.append(message)


class _BadLine(Exception):
    """One line is not acceptable; becomes a `DataError` or an entry in `BadLines`."""


def read_problems(
    path: Path | str, *, on_bad: OnBad = "raise", report: BadLines | None = None
) -> Iterator[Problem]:
    """Stream the problems of a JSON-lines file, each one validated.

    Args:
        path: ``.jsonl``, plain or compressed (``.gz``, ``.bz2``, ``.xz``; ``.zst`` where Python
            has it).
        on_bad: ``"raise"`` stops at the first bad line; ``"skip"`` counts it and goes on.
        report: where skipped lines are counted; a fresh one (logged at the end) if None.

    Raises:
        DataError: names file, line, what is wrong and what to do.
    """
    return read_rows(path, problem_from_row, on_bad=on_bad, report=report)


def read_jsonl(
    path: Path | str, *, on_bad: OnBad = "raise", report: BadLines | None = None
) -> Iterator[Row]:
    """Stream the rows (JSON objects) of any JSON-lines file; see `read_problems` for the rest."""
    return read_rows(path, lambda row: row, on_bad=on_bad, report=report)


def read_rows(
    path: Path | str,
    convert: Callable[[Row], T],
    *,
    on_bad: OnBad = "raise",
    report: BadLines | None = None,
) -> Iterator[T]:
    """Stream what ``convert`` makes of each row; a `DataError` it raises makes the line bad.

    Raises:
        DataError: a bad line with ``on_bad="raise"``; a missing or damaged file in any case.
    """
    path = Path(path)
    bad_lines = BadLines() if report is None else report
    counted_before = bad_lines.count
    for number, line in iterate_lines(path):
        if not line.strip():
            continue
        try:
            yield convert(_parse(line, first=number == 1))
        except (_BadLine, DataError) as bad:
            message = f"{path}:{number}: {bad}"
            if on_bad == "raise":
                raise DataError(
                    f"{message} Mend the line, or have bad lines counted and left out: "
                    f"on_bad='skip' (of the data stage: --set data.on_bad=skip)."
                ) from None
            bad_lines.add(message)
            if bad_lines.count - counted_before <= LOGGED_ONE_BY_ONE:
                log.warning("skipped %s", message)
    if skipped := bad_lines.count - counted_before:
        log.warning("%s: %d bad lines skipped", path, skipped)


def read_numbered(path: Path | str) -> Iterator[tuple[int, Row]]:
    """Stream (line number from 1, row), for readers whose own complaints name the line.

    Raises:
        DataError: at the first line that holds no JSON object.
    """
    path = Path(path)
    for number, line in iterate_lines(path):
        if line.strip():
            try:
                row = _parse(line, first=number == 1)
            except _BadLine as bad:
                raise DataError(f"{path}:{number}: {bad} Mend the line.") from None
            yield number, row


def write_problems(path: Path | str, problems: Iterable[Problem]) -> int:
    """Write problems as canonical JSON lines, all or nothing, and return how many.

    Raises:
        DataError: a problem cannot be written so that `read_problems` gives it back.
    """
    return write_jsonl(path, (row_from_problem(problem) for problem in problems))


def write_jsonl(path: Path | str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as canonical JSON lines (sorted keys), all or nothing, and return how many."""
    path, count = Path(path), 0
    with write_atomically(path) as stream:
        for row in rows:
            try:
                stream.write(canonical_json(row).encode() + b"\n")
            except (TypeError, ValueError) as problem:
                raise DataError(
                    f"{path}: row {count + 1} cannot be written as JSON: {problem}. Use texts, "
                    f"finite numbers, booleans, lists and objects with text keys."
                ) from problem
            count += 1
    return count


def canonical_json(value: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, UTF-8 unescaped, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def row_from_problem(problem: Problem) -> Row:
    """The JSON object of a problem; fields at their default are left out."""
    row: Row = {
        "id": problem.id,
        "query": problem.query,
        "solution": problem.solution,
        "tests": [
            {"stdin": test.stdin, "stdout": test.stdout} if isinstance(test, StdioTest) else test
            for test in problem.tests
        ],
        "language": problem.language,
    }
    row |= {key: value for key in OPTIONAL_TEXTS if (value := getattr(problem, key)) is not None}
    row |= {key: value for key in ("setup", "traits") if (value := getattr(problem, key))}
    return row


def problem_from_row(row: Mapping[str, Any]) -> Problem:
    """Check one row and make the problem it describes.

    Raises:
        DataError: a key is missing or unknown, or a value has the wrong type or no content.
    """
    try:
        return _checked_problem(row)
    except _BadLine as bad:
        raise DataError(str(bad)) from None


def _parse(line: bytes, *, first: bool) -> Row:
    try:
        text = line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as problem:
        raise _BadLine(f"not UTF-8 ({problem.reason} at byte {problem.start}).") from None
    try:
        row = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as problem:
        cut = "" if line.endswith(b"\n") else " The line has no newline: the file looks truncated."
        raise _BadLine(f"not valid JSON ({problem.msg} at column {problem.colno}).{cut}") from None
    except RecursionError:
        raise _BadLine("JSON nested too deeply.") from None
    except ValueError as problem:  # an integer beyond Python's digit limit
        raise _BadLine(f"not readable as JSON ({problem}).") from None
    if not isinstance(row, dict):
        raise _BadLine(f"a row must be a JSON object, this is {_kind(row)}.")
    if "\\u" in text and not _encodable(row):
        raise _BadLine("holds a lone surrogate escape, which is no character in UTF-8.")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise _BadLine(f"{name} is not JSON; use null or a finite number.")


def _unique_keys(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _BadLine(f"the key {twice!r} appears twice in one object.")
    return row


def _encodable(row: Row) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked_problem(row: Mapping[str, Any]) -> Problem:
    for key in REQUIRED:
        if key not in row:
            raise _BadLine(f"the key {key!r} is missing; a problem needs {', '.join(REQUIRED)}.")
    for key in row:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise _BadLine(f"unknown key {key!r}; {hint}Further facts belong under 'traits'.")
    for key in ("id", "query"):
        if not _text(row, key).strip():
            raise _BadLine(f"{key!r} is empty.")
    language = row.get("language", "python")
    if language not in LANGUAGES:
        raise _BadLine(f"unknown language {language!r}; known: {', '.join(LANGUAGES)}.")
    traits = row.get("traits", {})
    if not isinstance(traits, dict):
        raise _BadLine(f"'traits' must be an object, this is {_kind(traits)}.")
    return Problem(
        id=row["id"],
        query=row["query"],
        solution=_text(row, "solution"),
        tests=_checked_tests(row["tests"]),
        language=language,
        difficulty=_text_or_none(row, "difficulty"),
        source=_text_or_none(row, "source"),
        entry_point=_text_or_none(row, "entry_point"),
        setup=_text(row, "setup") if "setup" in row else "",
        traits=traits,
    )


def _checked_tests(tests: object) -> tuple[Test, ...]:
    if not isinstance(tests, list):
        raise _BadLine(f"'tests' must be a list, this is {_kind(tests)}.")
    if not tests:
        raise _BadLine("'tests' is empty: nothing could ever fail. Add a test or drop the row.")
    return tuple(_checked_test(test, place) for place, test in enumerate(tests))


def _checked_test(test: object, place: int) -> Test:
    if isinstance(test, str):
        if not test.strip():
            raise _BadLine(f"tests[{place}] is an empty text.")
        return test
    if isinstance(test, dict) and test.keys() == {"stdin", "stdout"}:
        if all(isinstance(value, str) for value in test.values()):
            return StdioTest(stdin=test["stdin"], stdout=test["stdout"])
        raise _BadLine(f"tests[{place}]: 'stdin' and 'stdout' must be texts.")
    found = f"an object with keys {sorted(test)}" if isinstance(test, dict) else _kind(test)
    raise _BadLine(
        f"tests[{place}] must be a text or an object with exactly 'stdin' and 'stdout', "
        f"this is {found}."
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise _BadLine(f"{key!r} must be a text, this is {_kind(value)}.")
    return value


def _text_or_none(row: Mapping[str, Any], key: str) -> str | None:
    return None if row.get(key) is None else _text(row, key)


def _kind(value: object) -> str:
    kinds = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), type(value).__name__)
