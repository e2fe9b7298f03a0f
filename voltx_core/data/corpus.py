"""A user's corpus: JSON lines or parquet with ``content`` or ``code``, or a folder of files.

Everything streams: what is held at a time is a line, or a few hundred rows of parquet.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from voltx_core.data.compression import bare_name
from voltx_core.data.jsonl import BadLines, OnBad, Row, read_rows
from voltx_core.data.parquet import read_parquet
from voltx_core.data.source_file import (
    LANGUAGE_OF_SUFFIX,
    SourceFile,
    decode_source,
    language_of,
)
from voltx_core.errors import DataError

log = logging.getLogger(__name__)

CorpusFile = SourceFile
"""A file of a user's corpus; its package is the repository or first folder, when known."""

TEXT_KEYS = ("content", "code", "whole_func_string")
PATH_KEYS = ("path", "max_stars_repo_path", "func_path_in_repository")
PACKAGE_KEYS = ("repo", "repo_name", "max_stars_repo_name", "repository_name", "package")
LANGUAGE_KEYS = ("language", "lang")
COLUMNS = (*TEXT_KEYS, *PATH_KEYS, *PACKAGE_KEYS, *LANGUAGE_KEYS)
PARQUET = ".parquet"
ALIASES = {"js": "javascript", "py": "python", "rs": "rust", "golang": "go"}


def read_corpus(
    path: Path | str, *, on_bad: OnBad = "raise", report: BadLines | None = None
) -> Iterator[CorpusFile]:
    """Stream the files of a corpus, in sorted order of path.

    Args:
        path: a ``.jsonl`` file (plain or compressed), a ``.parquet`` file, or a folder; a folder
            may hold source files (``.py .js .mjs .cjs .java .rs .go``), ``.jsonl`` and
            ``.parquet`` shards, at any depth.
        on_bad: what a bad line of JSON does; see `read_problems`.
        report: where skipped lines are counted.

    Raises:
        DataError: nothing there, nothing readable there, or a bad line.
    """
    root = Path(path)
    if not root.is_dir():
        yield from _read_rows(root, on_bad, report)
        return
    found = unreadable = 0
    for location in _walk(root):
        if location.suffix == PARQUET or bare_name(location).endswith(".jsonl"):
            found += 1
            yield from _read_rows(location, on_bad, report)
        elif location.suffix.lower() in LANGUAGE_OF_SUFFIX:
            found += 1
            if (file := _read_source(location, root)) is not None:
                yield file
            else:
                unreadable += 1
    if unreadable:
        log.warning("%s: %d files are not UTF-8 text and were left out", root, unreadable)
    if not found:
        raise DataError(
            f"{root}: no source files ({', '.join(LANGUAGE_OF_SUFFIX)}), no .jsonl and no .parquet "
            f"files in this folder. Name the folder that holds them."
        )


def _read_rows(path: Path, on_bad: OnBad, report: BadLines | None) -> Iterator[CorpusFile]:
    if path.suffix == PARQUET:
        return read_parquet(path, _file_of_row, columns=COLUMNS)
    return read_rows(path, _file_of_row, on_bad=on_bad, report=report)


def _file_of_row(row: Row) -> CorpusFile:
    text = next((row[key] for key in TEXT_KEYS if isinstance(row.get(key), str)), None)
    if text is None:
        raise DataError(
            f"a corpus row needs a text under 'content' or 'code'; this one has "
            f"{', '.join(map(repr, sorted(row))) or 'no keys'}."
        )
    path = _first_text(row, PATH_KEYS) or ""
    language = _first_text(row, LANGUAGE_KEYS)
    return CorpusFile(
        path=path,
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        package=_first_text(row, PACKAGE_KEYS),
        language=_normal_language(language) if language else language_of(path),
    )


def _normal_language(name: str) -> str:
    lowered = name.strip().lower()
    return ALIASES.get(lowered, lowered)


def _first_text(row: Row, keys: tuple[str, ...]) -> str | None:
    return next((row[key] for key in keys if isinstance(row.get(key), str)), None)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(folder, name)


def _read_source(location: Path, root: Path) -> CorpusFile | None:
    text = decode_source(location.read_bytes())
    if text is None:
        return None
    path = location.relative_to(root)
    return CorpusFile(
        path=path.as_posix(),
        text=text,
        package=path.parts[0] if len(path.parts) > 1 else None,
        language=language_of(path.name),
    )
