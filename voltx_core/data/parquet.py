"""Rows of parquet files, as the hub publishes data sets; needs pyarrow, an optional extra."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from voltx_core.errors import DataError

ROWS_AT_ONCE = 256
"""Rows decoded at a time. What a reader holds is one row group's compressed columns and these."""

T = TypeVar("T")


def read_parquet(
    path: Path | str,
    convert: Callable[[dict[str, Any]], T],
    *,
    columns: Sequence[str] | None = None,
) -> Iterator[T]:
    """Stream what ``convert`` makes of each row.

    Args:
        path: one ``.parquet`` file.
        convert: a `DataError` that it raises names the file and the row.
        columns: the columns wanted; those that the file lacks are left out, the others not read.

    Raises:
        DataError: pyarrow is missing, the file is no parquet or damaged, or a row is bad.
    """
    path = Path(path)
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise DataError(
            f"{path}: reading parquet needs pyarrow, which is not installed. "
            f"Install it (`pip install 'voltx[data]'`) or convert the file to .jsonl."
        ) from None
    arrow_errors = (importlib.import_module("pyarrow").ArrowException, OSError)
    number = 0
    try:
        with parquet.ParquetFile(path, pre_buffer=False, memory_map=True) as file:
            names = file.schema_arrow.names
            wanted = [name for name in columns if name in names] if columns else None
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=wanted, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield convert(row)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Check the path, or fetch the data first.") from None
    except DataError as bad:
        raise DataError(f"{path}: row {number}: {bad}") from None
    except arrow_errors as problem:
        raise DataError(
            f"{path}: after row {number}: not readable as parquet ({problem}). Fetch the file "
            f"again and compare its size and sha256 with the publisher's."
        ) from problem
