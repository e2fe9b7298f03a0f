"""The machine's own Python sources: standard library and installed packages as a corpus.

What is found depends on what is installed, so `machine_digest` belongs into the fingerprint of
whatever is made from it.
"""

import hashlib
import logging
import os
import platform
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from voltx_core.data.source_file import SourceFile, decode_source

log = logging.getLogger(__name__)

STDLIB = "stdlib"
INSTALLED = "site-packages"
NOT_SOURCES = frozenset({"__pycache__", "site-packages", "dist-packages", "lib-dynload"})
DISTRIBUTION = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-.*)?\.(?:dist|egg)-info")


def harvest_sources(
    *, max_files: int | None = None, max_bytes: int | None = None, seed: int = 0
) -> Iterator[SourceFile]:
    """Stream the Python files of the running interpreter in a seeded, machine-stable order.

    A file's place in the order is a hash of seed and path: a limited harvest is a fair sample of
    all packages, and installing one more package moves no other file. Nothing is filtered here
    (see `filters`); files that are not UTF-8 text are left out and counted in the log.

    Args:
        max_files: stop after so many files.
        max_bytes: stop before the texts together exceed so many bytes of UTF-8.
        seed: chooses the order.

    Yields:
        Files whose ``package`` is the top-level import name, ``stdlib.json`` for the standard
        library's own.
    """
    files, total, unreadable = 0, 0, 0
    for _, path, location in sorted(_ranked(seed)):
        if max_files is not None and files >= max_files:
            break
        try:
            text = decode_source(location.read_bytes())
        except OSError:
            text = None
        if text is None:
            unreadable += 1
            continue
        total += len(text.encode())
        if max_bytes is not None and total > max_bytes:
            break
        files += 1
        yield SourceFile(path=path, text=text, package=package_of(path), language="python")
    if unreadable:
        log.info("harvest: %d files are not UTF-8 text and were left out", unreadable)


def package_of(path: str) -> str:
    """The package of a harvested path: ``numpy``, ``stdlib.json``.

    Args:
        path: as `harvest_sources` gives it, e.g. ``site-packages/numpy/linalg/linalg.py``.
    """
    root, *rest = path.split("/")
    package = rest[0].removesuffix(".py")
    return f"{STDLIB}.{package}" if root == STDLIB else package


def machine_digest() -> dict[str, str]:
    """What the harvest depends on: the Python version and ``name -> version`` of distributions.

    Cheap (one directory listing per root), so a plan can compare it on every call.
    """
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for label, root in source_roots():
        if label == STDLIB:
            continue
        for entry in sorted(os.listdir(root)):
            if match := DISTRIBUTION.fullmatch(entry):
                name = re.sub(r"[-_.]+", "-", match["name"]).lower()
                found.setdefault(name, match["version"])
    return found


def source_roots() -> list[tuple[str, Path]]:
    """(label, folder) of the standard library and of the installed packages, each once."""
    places = [
        (STDLIB, sysconfig.get_path("stdlib")),
        (INSTALLED, sysconfig.get_path("purelib")),
        (INSTALLED, sysconfig.get_path("platlib")),
    ]
    roots: dict[Path, str] = {}
    for label, place in places:
        folder = Path(place).resolve()
        if folder.is_dir():
            roots.setdefault(folder, label)
    return [(label, folder) for folder, label in roots.items()]


def _ranked(seed: int) -> Iterator[tuple[bytes, str, Path]]:
    for label, root in source_roots():
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in NOT_SOURCES]
            for name in names:
                if name.endswith(".py"):
                    location = Path(folder, name)
                    path = f"{label}/{location.relative_to(root).as_posix()}"
                    rank = hashlib.sha256(f"{seed}/{path}".encode()).digest()[:16]
                    yield rank, path, location
