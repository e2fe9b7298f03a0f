"""Keys of objects: relative paths that mean the same in a folder and in a bucket."""

import unicodedata

from voltx_core.errors import StoreError

RESERVED = ".voltx"
"""First segments that begin so belong to the stores themselves (scratch files, probes)."""

_KEY_BYTES = 900  # S3 ends at 1,024 with the prefix of the store
_SEGMENT_BYTES = 255  # what every usual file system takes for one name
_NOT_TEXT = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, surrogate, unassigned, line breaks


def check_key(key: str) -> str:
    """Return ``key`` when it is safe in every store.

    Raises:
        StoreError: It is empty, absolute, leaves the store, or holds what some store mangles.
    """
    reason = _fault(key)
    if reason:
        raise StoreError(
            f"{key!r} cannot be a key of the store: {reason}. Keys are relative paths such as "
            f"'stages/codebook/3f2a/manifest.json'."
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` when it could begin a key (the empty one begins all)."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def folder_prefix(prefix: str) -> str:
    """``prefix`` as a folder, with its slash, so that ``step/1`` never means ``step/10``."""
    if not prefix.strip("/"):
        raise StoreError("refusing to treat the whole store as one folder: name a prefix")
    return check_prefix(prefix.removesuffix("/")) + "/"


def check_name(name: str) -> str:
    """Return ``name`` when it is one segment of a key: a stage, a fingerprint, a step."""
    check_key(name)
    if "/" in name:
        raise StoreError(f"{name!r} cannot be one segment of a key: it contains a slash")
    return name


def _fault(key: str) -> str:
    segments = key.split("/")
    if not key:
        return "it is empty"
    if key.startswith("/"):
        return "it is absolute"
    if ".." in segments or "." in segments:
        return "it has a '.' or '..' segment and could leave the store"
    if "" in segments:
        return "it has an empty segment"
    if "\\" in key or any(unicodedata.category(letter) in _NOT_TEXT for letter in key):
        return "it holds a backslash or a character that is not text"
    if any(len(segment.encode()) > _SEGMENT_BYTES for segment in segments):
        return f"a segment is longer than {_SEGMENT_BYTES} bytes"
    if len(key.encode()) > _KEY_BYTES:
        return f"it is longer than {_KEY_BYTES} bytes"
    if segments[0].startswith(RESERVED):
        return f"names beginning with {RESERVED!r} are the store's own"
    return ""
