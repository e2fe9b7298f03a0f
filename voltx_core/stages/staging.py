"""What must be on a machine before a preset runs there: files with size and digest, and disk."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voltx_core.config import VoltxConfig
from voltx_core.data.hub import Fetched, check, records
from voltx_core.data.suites import available_suites
from voltx_core.data.suites.apps import FILES as APPS_FILES
from voltx_core.data.suites.catalogue import SUITES
from voltx_core.data.suites.discovery import published_files
from voltx_core.stages.preflight import DISK_MIB
from voltx_core.store.digest import sha256_file

EXAMS = ("humaneval", "mbpp", "apps")
"""Published sets that are trained on (their training parts) and examined on."""
NEED_EXAMS = ("single-gpu", "cloud")
"""Presets whose report is not worth its price without them."""
DOWNLOAD_MB = {"humaneval": 1, "mbpp": 1, "apps": 1_400}

State = Literal["ok", "missing", "damaged", "short"]


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist.

    Attributes:
        name: what it is.
        needed: whether the preset cannot do without.
        state: ``damaged``: not what was fetched; ``short``: less than the preset can use.
        found: path or amount, in words.
        size: bytes, where it is a file.
        sha256: of the file.
        remedy: what to do when ``state`` is not ``ok``.
    """

    name: str
    needed: bool
    state: State
    found: str
    size: int | None = None
    sha256: str | None = None
    remedy: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the preset should not be started before this is mended."""
        return self.state == "damaged" or (self.needed and self.state != "ok")


def checklist(
    config: VoltxConfig,
    folder: Path,
    home: Path,
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[Item]:
    """Go through everything the preset reads from outside, and the disk it takes.

    Args:
        config: resolved settings.
        folder: where data sets lie; need not exist.
        home: where the work is done and the store lies.
        tell: told what is looked at next; reading large files takes a while.

    Yields:
        One item a file that was found, and one for everything that was not.
    """
    fetched = {record.name: (at, record) for at, record in records(folder)}
    here = available_suites(folder) if folder.is_dir() else []
    missing_mb = 0
    for name in EXAMS:
        tell(name)
        if name in fetched:
            yield from _recorded(*fetched.pop(name))
        elif name in here:
            yield from _published(name, folder)
        else:
            missing_mb += DOWNLOAD_MB[name]
            needed = config.preset in NEED_EXAMS
            yield Item(name, needed, "missing", f"not in {folder}", remedy=_fetch(name, folder))
    for name, (at, record) in fetched.items():
        tell(name)
        yield from _recorded(at, record)
    for name in ("problems", "corpus"):
        place = getattr(config.data, name)
        if place is not None:
            tell(name)
            yield _own(name, Path(place))
    if config.data.corpus is None:
        tell("installed sources")
        yield _installed(config, folder)
    yield _disk(config, home, missing_mb)


def _recorded(home: Path, record: Fetched) -> Iterator[Item]:
    """The files of a fetched set against what was written down when they were fetched."""
    for file in record.files:
        fault = check(home, file)
        state: State = "ok" if fault is None else ("missing" if fault == "missing" else "damaged")
        yield Item(
            f"{record.name}: {file.name}",
            True,
            state,
            f"{home / file.name}" + (f": {fault}" if fault else ""),
            file.size,
            file.sha256,
            "" if fault is None else _fetch(record.name, home.parent),
        )


def _published(name: str, folder: Path) -> Iterator[Item]:
    """Files that somebody put there: no record says what they should be."""
    patterns = tuple(APPS_FILES) if name == "apps" else (SUITES[name].pattern,)
    files = [path for pattern in patterns for path in published_files(folder, pattern)]
    for path in files:
        size, digest = path.stat().st_size, sha256_file(path)
        yield Item(f"{name}: {path.name}", False, "ok", str(path), size, digest)
    if not files:  # APPS in its own folder layout
        yield Item(name, False, "ok", f"{folder}, in the authors' folder layout")


def _own(name: str, place: Path) -> Item:
    if place.is_file():
        size = place.stat().st_size
        return Item(f"data.{name}", True, "ok", str(place), size, sha256_file(place))
    if place.is_dir():
        sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file()]
        found = f"{place}, {len(sizes)} files"
        return Item(f"data.{name}", True, "ok", found, sum(sizes))
    remedy = f"check --set data.{name}=..."
    return Item(f"data.{name}", True, "missing", str(place), remedy=remedy)


def _installed(config: VoltxConfig, folder: Path) -> Item:
    """The corpus that is harvested when none is named."""
    from voltx_core.data.harvest import source_roots

    sizes = [
        path.stat().st_size
        for _, root in source_roots()
        for path in root.rglob("*.py")
        if path.is_file()
    ]
    found = f"{len(sizes)} Python files are installed; up to {config.data.corpus_files} are used"
    enough = len(sizes) >= config.data.corpus_files
    return Item(
        "corpus",
        False,
        "ok" if enough else "short",
        found,
        sum(sizes),
        remedy=""
        if enough
        else f"{_fetch('the-stack', folder)}, then --set data.corpus={folder / 'the-stack'}",
    )


def _disk(config: VoltxConfig, home: Path, missing_mb: int) -> Item:
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    parts = {
        "work": DISK_MIB[config.preset] << 20,
        "corpus, twice": 2 * config.data.corpus_mib << 20,
        "downloads": missing_mb * 1_000_000,
    }
    wanted = sum(parts.values())
    said = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size)
    return Item(
        "disk",
        True,
        "ok" if free >= wanted else "missing",
        f"{free / 1e9:.1f} GB free at {place}, {wanted / 1e9:.1f} wanted ({said})",
        wanted,
        remedy="" if free >= wanted else "free some, or set VOLTX_HOME and VOLTX_STORE elsewhere",
    )


def _fetch(name: str, folder: Path) -> str:
    return f"voltx data fetch {name} --into {folder}"
