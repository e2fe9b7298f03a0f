"""Which source files are worth learning from; every file left out is counted under a reason."""

import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from voltx_core.data.source_file import SourceFile

LEAST_BYTES = 50
MOST_BYTES = 50_000

LONGEST_LINE = 1_000
LONGEST_MEAN_LINE = 200
LEAST_LETTER_SHARE = 0.25
HEAD_LINES = 10
ASCII_LETTERS = string.ascii_letters.encode()
ASCII_SPACE = "".join(c for c in map(chr, range(128)) if c.isspace()).encode()

GENERATED = re.compile(
    r"@generated|auto-?\s?generated|automatically generated|machine generated|do not edit"
    r"|generated (?:by|from|with|using) |code generated",
    re.IGNORECASE,
)
GENERATED_NAME = re.compile(r"_pb2(?:_grpc)?\.pyi?$|\.generated\.|\.g\.\w+$|_generated\.\w+$")
COMMENT = re.compile(r'^\s*(?:#|//|/\*|\*|"""|\'\'\'|<!--|;)')
TEST_FOLDERS = frozenset({
    "test", "tests", "testing", "__tests__", "idle_test", "unittests", "testdata", "test_data",
    "fixtures", "__fixtures__", "snapshots", "__snapshots__", "mocks", "__mocks__",
})  # fmt: skip
TEST_NAME = re.compile(
    r"^(?:test_.*|.*_tests?|conftest)\.py$|\.(?:test|spec)\.[cm]?js$|_test\.go$|Tests?\.java$"
)


@dataclass(slots=True)
class FilterReport:
    """What came in, what stayed, and why the rest did not."""

    seen: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def filter_sources(
    files: Iterable[SourceFile],
    *,
    least_bytes: int = LEAST_BYTES,
    most_bytes: int = MOST_BYTES,
    report: FilterReport | None = None,
) -> Iterator[SourceFile]:
    """Stream the files worth keeping, counting the others by reason in ``report``."""
    counts = FilterReport() if report is None else report
    for file in files:
        counts.seen += 1
        reason = reason_to_drop(file, least_bytes=least_bytes, most_bytes=most_bytes)
        if reason is None:
            counts.kept += 1
            yield file
        else:
            counts.dropped[reason] += 1


def reason_to_drop(
    file: SourceFile, *, least_bytes: int = LEAST_BYTES, most_bytes: int = MOST_BYTES
) -> str | None:
    """Why the file should not be learned from, or None.

    Returns:
        ``too small``, ``too large``, ``test or fixture``, ``generated``, ``minified`` or
        ``data table``; the first that applies, in this order.
    """
    size = len(file.text.encode(errors="surrogatepass"))
    if size < least_bytes:
        return "too small"
    if size > most_bytes:
        return "too large"
    if _is_test_or_fixture(file.path):
        return "test or fixture"
    if _is_generated(file):
        return "generated"
    if _is_minified(file):
        return "minified"
    if _is_data_table(file.text):
        return "data table"
    return None


def _is_test_or_fixture(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(
        parts
        and (
            not TEST_FOLDERS.isdisjoint(part.lower() for part in parts[:-1])
            or TEST_NAME.search(parts[-1])
        )
    )


def _is_generated(file: SourceFile) -> bool:
    if GENERATED_NAME.search(file.path):
        return True
    # Generators announce themselves in the opening comment; code may speak of generating things.
    head = file.text.split("\n", HEAD_LINES)[:HEAD_LINES]
    return any(COMMENT.match(line) and GENERATED.search(line) for line in head)


def _is_minified(file: SourceFile) -> bool:
    if ".min." in PurePosixPath(file.path).name:
        return True
    lines = [line for line in file.text.split("\n") if line.strip()]
    return bool(lines) and (
        max(map(len, lines)) > LONGEST_LINE or sum(map(len, lines)) / len(lines) > LONGEST_MEAN_LINE
    )


def _is_data_table(text: str) -> bool:
    if text.isascii():  # ten times faster, and nearly all code is
        data = text.encode()
        visible = len(data.translate(None, ASCII_SPACE))
        letters = len(data) - len(data.translate(None, ASCII_LETTERS))
    else:
        visible = sum(1 for character in text if not character.isspace())
        letters = sum(1 for character in text if character.isalpha())
    return letters < LEAST_LETTER_SHARE * visible
