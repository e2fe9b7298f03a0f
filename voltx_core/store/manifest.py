"""The manifest: what a finished stage is. Only a manifest makes a stage exist.

On disk it is one JSON object, the fields of ``Manifest`` and a ``seal``: the SHA-256 of the
others. A byte that flips in a manifest is noticed like one that flips in a tensor.
"""

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voltx_core.errors import StoreError
from voltx_core.store.digest import sha256_bytes, tree_digest
from voltx_core.store.objects import CorruptObjectError

SCHEMA_VERSION = 1
SEAL = "seal"


def now() -> str:
    """The time in UTC as ISO 8601 with microseconds: text that sorts by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Record):
    """One stored file: its SHA-256 and its bytes."""

    sha256: str
    size: int


class ArtifactEntry(_Record):
    """One artifact: where it lies in the outputs, a file or a folder.

    Only ``path`` is given to ``commit``. The digest of a file is its SHA-256, that of a folder
    ``tree_digest`` of the files in it; ``size`` counts all bytes.
    """

    path: str
    sha256: str = ""
    size: int = 0


class Manifest(_Record):
    """Everything a finished stage is and came from. ``commit`` fills what it can compute."""

    schema_version: int = SCHEMA_VERSION
    stage: str
    number: str
    version: int
    fingerprint: str
    config: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    """Artifact that went in → its digest."""
    artifacts: dict[str, ArtifactEntry] = Field(default_factory=dict)
    files: dict[str, FileEntry] = Field(default_factory=dict)
    """Every file of the outputs, by path relative to them; filled by ``commit``."""
    report_sha256: str | None = None
    """Digest of ``report.json`` in the outputs; filled by ``commit``."""
    environment: dict[str, Any] = Field(default_factory=dict)
    code: dict[str, str] = Field(default_factory=dict)
    """Module → SHA-256 of its source, to tell when code changed since."""
    run_id: str | None = None
    """The run that did the work."""
    created_at: str = Field(default_factory=now)

    def members(self, artifact: str) -> dict[str, FileEntry]:
        """The files of an artifact, by path relative to the outputs.

        Raises:
            StoreError: The stage made no such artifact.
        """
        if artifact not in self.artifacts:
            made = ", ".join(sorted(self.artifacts)) or "nothing"
            raise StoreError(
                f"stage {self.stage!r} ({self.fingerprint}) made no artifact {artifact!r}, but: "
                f"{made}. Raise the version of the stage if it should make it now."
            )
        return below(self.files, self.artifacts[artifact].path)


class Progress(_Record):
    """A complete set of progress files of one step."""

    schema_version: int = SCHEMA_VERSION
    stage: str
    fingerprint: str
    step: int
    files: dict[str, FileEntry]
    created_at: str = Field(default_factory=now)


def below(files: dict[str, FileEntry], path: str) -> dict[str, FileEntry]:
    """Those of ``files`` that are ``path`` itself or lie in the folder ``path``."""
    return {
        name: entry for name, entry in files.items() if name == path or name.startswith(f"{path}/")
    }


def tree(files: dict[str, FileEntry]) -> str:
    """The digest of a set of files: equal exactly for equal names and bytes."""
    return tree_digest({name: entry.sha256 for name, entry in files.items()})


def seal_artifact(entry: ArtifactEntry, files: dict[str, FileEntry]) -> ArtifactEntry:
    """``entry`` with the digest and size of what lies at its path."""
    members = below(files, entry.path)
    if entry.path in members:
        sha256 = members[entry.path].sha256
    else:
        start = len(entry.path) + 1
        sha256 = tree({name[start:]: member for name, member in members.items()})
    size = sum(member.size for member in members.values())
    return ArtifactEntry(path=entry.path, sha256=sha256, size=size)


RecordT = TypeVar("RecordT", Manifest, Progress)


def encode(record: Manifest | Progress) -> bytes:
    """The record as sealed JSON; NaN and infinities, which JSON has not, become null."""
    fields = record.model_dump(mode="json")
    return (json.dumps(fields | {SEAL: _seal(fields)}, indent=2, sort_keys=True) + "\n").encode()


def decode(data: bytes, kind: type[RecordT], *, key: str, url: str) -> RecordT:
    """The record in ``data``.

    Raises:
        CorruptObjectError: It is no such record or its seal is broken.
        StoreError: A newer voltx wrote it.
    """
    remedy = (
        f"Restore it from a backup, or delete {key!r}: the stage then counts as not done and "
        f"runs again."
    )
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict):
            raise TypeError("not a JSON object")
        written = fields.pop(SEAL, None)
        version = fields.get("schema_version")
    except (ValueError, TypeError) as error:
        raise CorruptObjectError(
            key, where=url, expected="of a JSON object", got=f"none ({error})", remedy=remedy
        ) from error
    if written != _seal(fields):
        raise CorruptObjectError(
            key, where=url, expected=str(written), got=_seal(fields), remedy=remedy
        )
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{key!r} in {url} has format {version}, this voltx reads {SCHEMA_VERSION}. "
            f"Install the voltx that wrote it, or use another store."
        )
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise StoreError(f"{key!r} in {url} is no {kind.__name__.lower()}: {error}") from error


def _seal(fields: dict[str, Any]) -> str:
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return sha256_bytes(canonical.encode())
