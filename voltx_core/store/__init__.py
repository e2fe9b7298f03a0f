"""Artifacts on a local folder or in S3: atomic, verified, safe with several writers.

``open_store(url)`` gives keys and bytes; ``ArtifactStore`` gives stages their manifests,
artifacts and progress on top; ``Mirror`` copies in the background.
"""

from voltx_core.store.address import open_store
from voltx_core.store.artifacts import ArtifactStore
from voltx_core.store.digest import sha256_bytes, sha256_file, tree_digest
from voltx_core.store.json_values import finite
from voltx_core.store.manifest import ArtifactEntry, FileEntry, Manifest
from voltx_core.store.objects import (
    CorruptObjectError,
    MissingObjectError,
    ObjectInfo,
    Store,
)
from voltx_core.store.transfer import Mirror

__all__ = [
    "ArtifactEntry",
    "ArtifactStore",
    "CorruptObjectError",
    "FileEntry",
    "Manifest",
    "Mirror",
    "MissingObjectError",
    "ObjectInfo",
    "Store",
    "finite",
    "open_store",
    "sha256_bytes",
    "sha256_file",
    "tree_digest",
]
