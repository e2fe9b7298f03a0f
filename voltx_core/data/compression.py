"""Files as bytes, whatever they were compressed with: plain, .gz, .bz2, .xz, .zst.

The suffix decides. Damage inside a compressed stream surfaces as `DataError`, because the reader
cannot tell how much is missing.
"""

import bz2
import gzip
import importlib
import io
import lzma
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from voltx_core.errors import DataError

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
"""Compression suffixes that may follow a file's own name."""

MAX_LINE_BYTES = 64 << 20
"""A longer line is not a row: reading it whole could exhaust the memory."""

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


def bare_name(path: Path) -> str:
    """The file's name without its compression suffix: ``mbpp.jsonl`` for ``mbpp.jsonl.gz``."""
    return path.name.removesuffix(path.suffix) if path.suffix in SUFFIXES else path.name


def open_binary(path: Path) -> BinaryIO:
    """Open ``path`` for reading the uncompressed bytes.

    Raises:
        DataError: no such file, no permission, or a ``.zst`` file on a Python without zstd.
    """
    try:
        match path.suffix:
            case ".gz":
                return cast(BinaryIO, gzip.open(path, "rb"))
            case ".bz2":
                return cast(BinaryIO, bz2.open(path, "rb"))
            case ".xz":
                return cast(BinaryIO, lzma.open(path, "rb"))
            case ".zst":
                return _open_zstd(path)
            case _:
                return path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Check the path, or fetch the data first.") from None
    except OSError as problem:
        raise DataError(f"{path}: cannot be opened ({problem.strerror or problem}).") from problem


def _open_zstd(path: Path) -> BinaryIO:
    """The standard library's zstd (Python 3.14), else the package zstandard."""
    with suppress(ImportError):
        return cast(BinaryIO, importlib.import_module("compression.zstd").open(path, "rb"))
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise DataError(
            f"{path}: this Python has no zstd. Install it (`pip install 'voltx[data]'`), or unpack "
            f"the file (`zstd -d {path.name}`) and name the unpacked one."
        ) from None
    stream = _ZstdStream(path.open("rb"), zstandard.ZstdDecompressor, zstandard.ZstdError)
    return cast(BinaryIO, io.BufferedReader(stream, 1 << 20))


class _ZstdStream(io.RawIOBase):
    """Frame after frame by the package zstandard, whose own reader takes a cut file for whole."""

    def __init__(
        self, raw: BinaryIO, decompressor: Callable[[], Any], error: type[Exception]
    ) -> None:
        self._raw, self._decompressor, self._error = raw, decompressor, error
        self._frame: Any = None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._frame.unused_data if self._frame and self._frame.eof else b""
            chunk = chunk or self._raw.read(1 << 16)
            if not chunk:
                if self._frame and not self._frame.eof:
                    raise EOFError("the last frame has no end")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = self._decompressor().decompressobj()
            try:
                self._ready = self._frame.decompress(chunk)
            except self._error as problem:
                raise EOFError(str(problem)) from problem
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def read_bytes(path: Path) -> bytes:
    """All uncompressed bytes of a file known to be small."""
    with open_binary(path) as stream, damage_named(path):
        return stream.read()


def iterate_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line with its newline) with memory bounded by the longest line.

    Raises:
        DataError: the compressed stream is damaged, or a line exceeds `MAX_LINE_BYTES`.
    """
    with open_binary(path) as stream:
        number = 0
        while True:
            with damage_named(path, after_line=number):
                line = stream.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise DataError(
                    f"{path}:{number}: the line exceeds {MAX_LINE_BYTES >> 20} MiB. "
                    f"Is it JSON lines, and are its newlines intact? Write one row per line."
                )
            yield number, line


@contextmanager
def damage_named(path: Path, *, after_line: int | None = None) -> Iterator[None]:
    """Turn a decompressor's complaint into a `DataError` that names the file and the place."""
    try:
        yield
    except (*DAMAGE, OSError) as problem:
        place = f"{path}" if after_line is None else f"{path}: after line {after_line}"
        raise DataError(
            f"{place}: the compressed data is damaged or cut short ({problem}). Fetch the file "
            f"again and compare its size and sha256 with the publisher's."
        ) from problem


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose bytes appear under ``path`` all at once, or not at all.

    Compresses by suffix, without names or times in the header, so equal content gives equal
    bytes. The data reaches the disk before the name does.
    """
    if path.suffix == ".zst":
        raise DataError(f"{path}: writing .zst is not supported; use .gz, .xz or no compression.")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with _compressor(path, raw) as stream:
                yield stream
            raw.flush()
            # mkstemp makes private files; a data file gets what `open` would have given it.
            os.fchmod(raw.fileno(), 0o666 & ~_umask())
            os.fsync(raw.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


@contextmanager
def _compressor(path: Path, raw: BinaryIO) -> Iterator[BinaryIO]:
    match path.suffix:
        case ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
                yield cast(BinaryIO, stream)
        case ".bz2":
            with bz2.BZ2File(raw, "wb") as stream:
                yield cast(BinaryIO, stream)
        case ".xz":
            with lzma.LZMAFile(raw, "wb") as stream:
                yield cast(BinaryIO, stream)
        case _:
            buffered = io.BufferedWriter(cast(io.RawIOBase, raw))
            try:
                yield cast(BinaryIO, buffered)
                buffered.flush()
            finally:
                buffered.detach()


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
