"""Verdicts on disk as they come in, so that judging goes on where it stopped.

JSON lines: the first says what was judged and how, every other one is a verdict. Lines are
appended and reach the disk before they count. A line that a crash cut short is dropped, and said.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from voltx_core.data.jsonl import canonical_json
from voltx_core.errors import ConfigError, DataError

Row = dict[str, Any]

_BEGINNING = b'{"terms":{'


class Ledger:
    """An append-only file of verdicts, open for one writer.

    Args:
        path: made, with its folder, when absent.
        terms: what makes verdicts comparable: problems, limits, level. A file under other terms
            is refused rather than mixed.
        fresh: begin anew, whatever is there.

    Attributes:
        rows: verdicts that were there already.
        dropped: bytes of a last line that was cut short; 0 when all is whole.

    Raises:
        ConfigError: the file was written under other terms, or another process writes to it.
        DataError: it is not a ledger, or is damaged before its last line.
    """

    def __init__(self, path: Path, terms: Mapping[str, Any], *, fresh: bool = False) -> None:
        self.path, self.rows, self.dropped = path, list[Row](), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._lock()
            self._read(terms, fresh)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add verdicts; on return they survive a crash of the machine."""
        self._write("".join(f"{canonical_json(row)}\n" for row in rows))

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self.path}: another process is judging into this file. Wait for it, or choose "
                f"another place with --report."
            ) from None

    def _read(self, terms: Mapping[str, Any], fresh: bool) -> None:
        data = self.path.read_bytes()
        if data[: len(_BEGINNING)] != _BEGINNING[: len(data)]:
            # Never empty what somebody else wrote, such as the samples themselves.
            raise DataError(
                f"{self.path}: is no ledger of verdicts, and is left as it is. Choose another "
                f"place with --report."
            )
        if fresh:
            data = b""
        whole, _, cut = data.rpartition(b"\n")
        self.dropped = len(cut)
        lines = whole.split(b"\n") if whole else []
        if not lines:
            os.ftruncate(self._file, 0)
            self._write(f"{canonical_json({'terms': terms})}\n")
            return
        os.ftruncate(self._file, len(data) - len(cut))
        rows = [self._parsed(line, number) for number, line in enumerate(lines, 1)]
        self._check_terms(rows[0]["terms"], terms)
        self.rows = rows[1:]

    def _parsed(self, line: bytes, number: int) -> Row:
        try:
            row = json.loads(line)
        except ValueError as problem:
            raise DataError(
                f"{self.path}:{number}: not a verdict ({problem}). The file is damaged; begin "
                f"anew with --fresh."
            ) from None
        if not isinstance(row, dict):
            raise DataError(f"{self.path}:{number}: not a verdict. Begin anew with --fresh.")
        return row

    def _check_terms(self, found: Row, terms: Mapping[str, Any]) -> None:
        wanted = json.loads(canonical_json(terms))
        if found != wanted:
            keys = sorted({*found, *wanted})
            changed = [
                f"{key} was {found.get(key)}, is {wanted.get(key)}"
                for key in keys
                if found.get(key) != wanted.get(key)
            ]
            raise ConfigError(
                f"{self.path}: these verdicts were reached on other terms: {'; '.join(changed)}. "
                f"Begin anew with --fresh, or choose another place with --report."
            )

    def _write(self, text: str) -> None:
        os.lseek(self._file, 0, os.SEEK_END)
        view = memoryview(text.encode("utf-8", "surrogatepass"))
        while view:
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)
