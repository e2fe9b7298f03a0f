"""What the converters share: reading published rows, naming what a row lacks, common traits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voltx_core.data.compression import bare_name, read_bytes
from voltx_core.data.jsonl import Row, read_jsonl
from voltx_core.data.parquet import read_parquet
from voltx_core.errors import DataError


def published_rows(path: Path, *keys: str) -> Iterator[Row]:
    """Yield the rows of a ``.jsonl`` or ``.parquet`` file, or of a ``.json`` file of one list.

    Raises:
        DataError: a row lacks one of ``keys``: this is not the published format.
    """
    for number, row in enumerate(_rows(path), start=1):
        if missing := [key for key in keys if key not in row]:
            raise DataError(
                f"{path}: row {number} has no {', '.join(map(repr, missing))} (it has "
                f"{', '.join(map(repr, sorted(row)))}). This is not the published format; fetch "
                f"the original file."
            )
        yield row


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix == ".parquet":
        yield from read_parquet(path, lambda row: row)
        return
    if not bare_name(path).endswith(".json"):
        yield from read_jsonl(path)
        return
    try:
        rows = json.loads(read_bytes(path))
    except ValueError as problem:
        raise DataError(f"{path}: not valid JSON ({problem}). Fetch the file again.") from problem
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected one list of objects. Fetch the original file.")
    yield from rows


def suite_traits(
    *, licence: str, split: str, exam: bool, train_allowed: bool, **more: Any
) -> dict[str, Any]:
    """The facts every converted problem carries; see the package's docstring."""
    if exam and train_allowed:
        raise ValueError("an exam is never trained on")
    return {
        "licence": licence,
        "split": split,
        "exam": exam,
        "train_allowed": train_allowed,
        **more,
    }


def tidy_code(code: str) -> str:
    """Code with Unix newlines, no blank edges, and one newline at the end; "" stays ""."""
    text = code.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
    return f"{text}\n" if text else ""
