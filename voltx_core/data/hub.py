"""Data sets of the Hugging Face hub: fetched by pinned revision, resumed, verified, remembered.

What was fetched is written down in ``voltx-data.json`` beside the data: repository, commit, and for
each file its size and sha256. A second fetch holds to that commit, and `check` compares the files
with it.
"""

import fnmatch
import hashlib
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from voltx_core.data.compression import write_atomically
from voltx_core.data.jsonl import write_jsonl
from voltx_core.data.parquet import read_parquet
from voltx_core.errors import DataError
from voltx_core.store.digest import sha256_file

RECORD = "voltx-data.json"
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class HubSet:
    """One data set of the hub.

    Attributes:
        repository: ``owner/name``.
        revision: commit that is fetched unless another is asked for.
        files: shell patterns of the files wanted.
        licence: of the data.
        gated: whether its owners want their terms accepted first.
        published: name of the one file that the rows of all fetched parquet files are also
            written to, because that is how its authors published them and the readers expect it.
    """

    repository: str
    revision: str
    files: tuple[str, ...]
    licence: str
    gated: bool = False
    published: str | None = None


SETS: dict[str, HubSet] = {
    "humaneval": HubSet(
        "openai/openai_humaneval",
        "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
        ("openai_humaneval/*.parquet",),
        "MIT",
        published="HumanEval.jsonl",
    ),
    "mbpp": HubSet(
        "google-research-datasets/mbpp",
        "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
        ("full/*.parquet",),
        "CC-BY-4.0",
        published="mbpp.jsonl",
    ),
    "apps": HubSet(
        "codeparrot/apps",
        "21e74ddf8de1a21436da12e3e653065c5213e9d1",
        ("train.jsonl", "test.jsonl"),
        "MIT",
    ),
    "code-search-net": HubSet(
        "code-search-net/code_search_net",
        "bd0cf261e357a3eb5c8fba490d23ec1a1cd59555",
        ("python/*.parquet",),
        "permissive, a licence a repository",
    ),
    "tinystories": HubSet(
        "roneneldan/TinyStories",
        "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64",
        ("data/*.parquet",),
        "CDLA-Sharing-1.0",
    ),
    "the-stack": HubSet(
        "bigcode/the-stack-dedup",
        "17cad72c886a2858e08d4c349a00d6466f54df63",
        ("data/python/*.parquet",),
        "permissive, a licence a file",
        gated=True,
    ),
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it; ``sha256`` of large files, ``blob`` (git's) of others."""

    name: str
    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file as it was verified: name relative to the set's folder, size in bytes, sha256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in a set's folder, and where it came from."""

    name: str
    repository: str
    revision: str
    licence: str
    files: tuple[FetchedFile, ...]


def fetch(
    name: str,
    folder: Path,
    *,
    revision: str | None = None,
    patterns: Sequence[str] = (),
    tell: Callable[[int, int], object] = lambda *_: None,
) -> Fetched:
    """Bring one data set into ``folder``/``name``; what is there and intact stays.

    Args:
        name: one of `SETS`, or ``owner/name`` of any data set.
        folder: where all data sets lie, what VOLTX_DATA_DIR names.
        revision: commit, tag or branch; by default the commit fetched before, else the pinned one.
        patterns: shell patterns of files; by default the set's own.
        tell: called with (KiB done, KiB in all) after each file.

    Raises:
        DataError: huggingface_hub is missing, the hub refuses or is out of reach, the disk is
            full, or a file is not what the hub says it is.
    """
    wanted = _set_of(name)
    home = folder / name.replace("/", "--")
    before = read_record(home)
    commit, listed = _listing(wanted, revision or (before.revision if before else wanted.revision))
    chosen = [
        file
        for file in listed
        if any(fnmatch.fnmatchcase(file.name, pattern) for pattern in patterns or wanted.files)
    ]
    if not chosen:
        raise DataError(
            f"{wanted.repository} at {commit[:12]} has no file like "
            f"{', '.join(patterns or wanted.files)}. It has {_some(f.name for f in listed)}. "
            f"Name others with --files."
        )
    missing = [file for file in chosen if not _is_intact(home / file.name, file)]
    _require_disk(folder, sum(file.size for file in missing))
    done, total = 0, sum(file.size for file in chosen) // 1024
    for file in chosen:
        if file in missing:
            _download(wanted, commit, file, home)
        done += file.size
        tell(done // 1024, total)
    files = [FetchedFile(f.name, f.size, sha256_file(home / f.name)) for f in chosen]
    if wanted.published and not patterns:
        files.append(_publish(home, wanted.published, [f.name for f in chosen]))
    if before is not None and before.revision == commit:  # what --files brought before stays known
        names = {file.name for file in files}
        files += [file for file in before.files if file.name not in names]
    fetched = Fetched(name, wanted.repository, commit, wanted.licence, tuple(files))
    with write_atomically(home / RECORD) as stream:
        stream.write(json.dumps(asdict(fetched), indent=1).encode() + b"\n")
    return fetched


def records(folder: Path) -> Iterator[tuple[Path, Fetched]]:
    """(home, record) of every set fetched into ``folder``, by name."""
    for path in sorted(folder.glob(f"*/{RECORD}")):
        record = read_record(path.parent)
        if record is not None:
            yield path.parent, record


def read_record(home: Path) -> Fetched | None:
    """What was fetched into this folder, or None.

    Raises:
        DataError: the record is damaged.
    """
    path = home / RECORD
    try:
        found = json.loads(path.read_bytes())
        return Fetched(**{**found, "files": tuple(FetchedFile(**f) for f in found["files"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as problem:
        raise DataError(
            f"{path}: not a record of fetched data ({problem}). Delete it and fetch again: files "
            f"that are intact are not fetched twice."
        ) from problem


def check(home: Path, file: FetchedFile) -> str | None:
    """What is wrong with a fetched file: that it is missing, its size, its digest; or None."""
    path = home / file.name
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != file.size:
        return f"{size} bytes instead of {file.size}"
    return None if sha256_file(path) == file.sha256 else "the sha256 differs"


def _set_of(name: str) -> HubSet:
    if name in SETS:
        return SETS[name]
    if name.count("/") == 1 and all(name.split("/")):
        return HubSet(name, "main", ("*.jsonl*", "*.parquet"), "see the repository")
    raise DataError(
        f"There is no data set {name!r}. Known: {', '.join(SETS)}; or name one of the hub as "
        f"OWNER/NAME."
    )


def _hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise DataError(
            "Fetching needs huggingface_hub, which is not installed: pip install 'voltx[data]'."
        ) from None


def _listing(wanted: HubSet, revision: str) -> tuple[str, list[RemoteFile]]:
    """The commit that ``revision`` means, and its files."""
    hub = _hub()
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    with _explained(wanted, revision):
        info = api.dataset_info(wanted.repository, revision=revision, files_metadata=True)
    files = []
    for found in info.siblings or ():
        sha256 = found.lfs.sha256 if found.lfs else None
        files.append(RemoteFile(found.rfilename, found.size or 0, sha256, found.blob_id))
    return str(info.sha), files


def _download(wanted: HubSet, commit: str, file: RemoteFile, home: Path) -> None:
    """Bring one file; its bytes lie beside it under a name of their own until they are verified.

    huggingface_hub's own `hf_hub_download` begins again when its process was killed, and takes a
    damaged file that is there for whole.
    """
    hub, path = _hub(), home / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{(file.sha256 or file.blob or commit)[:16]}.part")
    with _explained(wanted, commit), part.open("ab") as stream:
        if stream.tell() > file.size:
            stream.truncate(0)
        url = hub.hf_hub_url(
            wanted.repository,
            file.name,
            repo_type="dataset",
            revision=commit,
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
        place = hub.get_hf_file_metadata(url).location
        headers = hub.utils.build_hf_headers() | {"Accept-Encoding": "identity"}
        if urlsplit(place).netloc != urlsplit(url).netloc:  # a token is for the hub alone
            headers.pop("authorization", None)
        importlib.import_module("huggingface_hub.file_download").http_get(
            place,
            stream,
            resume_size=stream.tell(),
            headers=headers,
            expected_size=file.size,
        )
    if not _is_intact(part, file):
        size = part.stat().st_size
        part.unlink()
        raise DataError(
            f"{path}: {size} bytes arrived that are not what {wanted.repository} says it holds "
            f"({file.size} bytes, {_digest_of(file)}). They were deleted; fetch again."
        )
    part.replace(path)


def _is_intact(path: Path, file: RemoteFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.sha256 is not None:
        return sha256_file(path) == file.sha256
    digest = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)  # git's own
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return file.blob is None or digest.hexdigest() == file.blob


def _digest_of(file: RemoteFile) -> str:
    return f"sha256 {file.sha256}" if file.sha256 else f"git blob {file.blob}"


def _publish(home: Path, name: str, sources: Sequence[str]) -> FetchedFile:
    rows = (row for source in sources for row in read_parquet(home / source, lambda row: row))
    write_jsonl(home / name, rows)
    path = home / name
    return FetchedFile(name, path.stat().st_size, sha256_file(path))


@contextmanager
def _explained(wanted: HubSet, revision: str) -> Iterator[None]:
    """Turns what huggingface_hub raises into a `DataError` with cause and remedy."""
    errors = importlib.import_module("huggingface_hub.errors")
    network = (errors.HfHubHTTPError, *out_of_reach())
    page = f"https://huggingface.co/datasets/{wanted.repository}"
    try:
        yield
    except errors.GatedRepoError as problem:
        raise DataError(
            f"{wanted.repository} is gated: its owners want their terms accepted first. "
            f"1. Log in and accept them at {page}. 2. Make a read token at "
            f"https://huggingface.co/settings/tokens. 3. Run `hf auth login`, or set HF_TOKEN, "
            f"and fetch again."
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise DataError(
            f"{wanted.repository} has no revision {revision!r}. Look at {page}/commits and name a "
            f"commit with --revision."
        ) from problem
    except errors.RepositoryNotFoundError as problem:
        raise DataError(
            f"The hub knows no data set {wanted.repository}, or it is private. Check the name at "
            f"{page}; for a private one set HF_TOKEN."
        ) from problem
    except network as problem:
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
        said = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise DataError(
            f"{wanted.repository} could not be fetched from {endpoint}: {said} Check the network "
            f"and HF_ENDPOINT, then fetch again: it goes on where it stopped."
        ) from problem


def out_of_reach() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises when no hub answers, in whichever version."""
    found: tuple[type[Exception], ...] = (OSError,)
    for library in ("httpx", "httpx2"):  # what newer versions speak through
        with suppress(ImportError):
            found += (importlib.import_module(library).HTTPError,)
    return found


def _require_disk(folder: Path, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{folder} has {free / 1e9:.1f} GB free and {size / 1e9:.1f} GB are to be fetched. "
            f"Free some, choose fewer files with --files, or another folder with --into."
        )


def _some(names: Iterator[str]) -> str:
    found = list(names)
    return ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
