"""Where published files lie: found by their published names anywhere below a data folder."""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from voltx_core.data.compression import bare_name
from voltx_core.errors import DataError


def walk_folders(data_dir: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield (folder, its file names) below ``data_dir`` in sorted order, following links once.

    Hidden folders and the insides of APPS problem folders (which hold ``question.txt``) are
    yielded or skipped whole, so ten thousand problems cost one listing each.
    """
    if not data_dir.is_dir():
        raise DataError(
            f"{data_dir}: no such folder. Point VOLTX_DATA_DIR (or the data folder setting) at "
            f"the folder that holds the published data sets."
        )
    seen: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(data_dir, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not _is_elsewhere(name))
        yield Path(root), sorted(files)


def published_files(data_dir: Path, pattern: str) -> list[Path]:
    """All files whose name, compression suffix aside, matches a shell pattern, in sorted order.

    Of a plain and a compressed twin in one folder only the plain one.
    """
    found: dict[tuple[Path, str], Path] = {}
    for folder, names in walk_folders(data_dir):
        for name in names:
            path = folder / name
            bare = bare_name(path)
            if fnmatch.fnmatchcase(bare, pattern):
                # Sorted names: "x.jsonl" precedes "x.jsonl.gz", so the plain twin is kept.
                found.setdefault((folder, bare), path)
    return list(found.values())


def find_published(data_dir: Path, pattern: str) -> Path | None:
    """The one file that `published_files` finds, or None.

    Args:
        data_dir: searched with all its folders.
        pattern: shell pattern of the published name, e.g. ``mbjp_release_v1*.jsonl``.

    Raises:
        DataError: several different files match; guessing would make results depend on luck.
    """
    found = published_files(data_dir, pattern)
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(data_dir)) for path in found)
        raise DataError(
            f"{data_dir}: several files match {pattern!r}: {listed}. Keep one of them below this "
            f"folder, or name a folder that holds only one."
        )
    return found[0] if found else None


def _is_elsewhere(folder: str) -> bool:
    """Hidden, or a data set of the hub as `voltx data fetch OWNER/NAME` stores it: its files may
    have the same common names (``train.jsonl``) and are no published problem set."""
    return folder.startswith(".") or "--" in folder
