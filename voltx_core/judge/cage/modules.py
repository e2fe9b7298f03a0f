"""Imports without a look at any file: modules found in a list that was made beforehand.

Where every path of the machine can be named, programs get no system call that tells about a file
they may not open, and the interpreter's own way to find a module is made of these. What must be
linked in (a native library is measured by the linker) is loaded before.
"""

import contextlib
import importlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import Any

_NATIVE = (
    "_contextvars",
    "_csv",
    "_ctypes",
    "_opcode",
    "_pickle",
    "_posixsubprocess",
    "_queue",
    "_socket",
    "binascii",
    "fcntl",
    "mmap",
    "resource",
    "select",
    "zlib",
)
"""Small ones that much of the standard library stands on; each costs every fork some microseconds.
"""

_NOT_LISTED = frozenset({"__pycache__", "site-packages", "test", "tests", "idlelib", "tkinter"})


def list_modules(library: str) -> None:
    """From now on find modules in a list of what lies in a folder and in ``sys.path`` below it.

    Args:
        library: the standard library, where it can be read after confinement.
    """
    for name in _NATIVE:
        try:
            importlib.import_module(name)
        except ImportError:  # left out of this interpreter
            continue
    sources: dict[str, _Listed] = {}
    _list(library, "", sources)
    native = {
        entry.name.partition(".")[0]
        for folder in sys.path
        for entry in _entries(folder)
        if entry.name.endswith(tuple(EXTENSION_SUFFIXES))
    }
    finder: Any = _Finder(sources, native)
    sys.meta_path = [finder if kept is PathFinder else kept for kept in sys.meta_path]


def _list(folder: str, prefix: str, sources: "dict[str, _Listed]") -> None:
    for entry in _entries(folder):
        name = prefix + entry.name.removesuffix(".py")
        with contextlib.suppress(OSError):  # a link into nothing, or a file of others
            if entry.is_dir():
                start = os.path.join(entry.path, "__init__.py")
                if entry.name not in _NOT_LISTED and os.path.isfile(start):
                    sources[name] = _Listed(name, start)
                    _list(entry.path, f"{name}.", sources)
            elif entry.name.endswith(".py") and entry.name != "__init__.py":
                sources.setdefault(name, _Listed(name, entry.path))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


class _Listed(SourceFileLoader):
    """Loads a module whose size and age were noted in time, so that its bytecode is still used."""

    def __init__(self, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._stats = super().path_stats(path)

    def path_stats(self, _path: Any) -> Any:
        return self._stats


class _Finder:
    def __init__(self, sources: dict[str, _Listed], native: set[str]) -> None:
        self._sources, self._native = sources, native

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        loader = self._sources.get(fullname)
        if loader:
            package = os.path.basename(loader.path) == "__init__.py"
            within = [os.path.dirname(loader.path)] if package else None
            return spec_from_file_location(
                fullname, loader.path, loader=loader, submodule_search_locations=within
            )
        if fullname in self._native:
            reason = "it is a native library, which cannot be linked at this isolation level"
            raise ImportError(f"cannot import {fullname}: {reason}", name=fullname)
        return None
