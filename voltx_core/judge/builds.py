"""Compiled programs, kept by what they were made from.

What a compiler made of hostile source is hostile data. It never leaves this store but into a jail
again, and only for the very source, compiler and flags that it was made from.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Build:
    """What a compiler said of one source.

    Attributes:
        files: what it made, by relative name.
        complaint: why it made nothing; empty when it did.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    complaint: str = ""

    @property
    def size(self) -> int:
        """Bytes it keeps, roughly."""
        files = sum(len(name) + len(content) for name, content in self.files.items())
        return files + len(self.complaint) + 256


class BuildStore:
    """The builds used last, up to a total size.

    Args:
        max_bytes: total size of what is kept; a larger build is not kept at all.

    Attributes:
        hits: how often a compilation was spared.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._builds: OrderedDict[str, Build] = OrderedDict()
        self._max_bytes, self._bytes = max_bytes, 0
        self.hits = 0

    def __len__(self) -> int:
        return len(self._builds)

    def get(self, key: str) -> Build | None:
        """The build of ``build_key``; None if it has to be made."""
        build = self._builds.get(key)
        if build:
            self._builds.move_to_end(key)
            self.hits += 1
        return build

    def put(self, key: str, build: Build) -> None:
        """Keep a build, at the expense of those that were not used for longest."""
        if key in self._builds or build.size > self._max_bytes:
            return
        self._builds[key] = build
        self._bytes += build.size
        while self._bytes > self._max_bytes:
            self._bytes -= self._builds.popitem(last=False)[1].size


def build_key(version: str, command: Sequence[str], source: bytes) -> str:
    """Digest of everything that decides what a compiler makes.

    Args:
        version: of the compiler.
        command: its path and flags.
        source: the whole program.
    """
    digest = hashlib.sha256()
    for part in (version.encode(), *(word.encode() for word in command), source):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
