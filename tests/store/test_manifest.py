"""Manifests on disk: whatever happens to their bytes, they are right or refused."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.errors import StoreError
from voltx_core.store import ArtifactEntry, CorruptObjectError, FileEntry, Manifest, tree_digest
from voltx_core.store.manifest import decode, encode

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
MANIFESTS = st.builds(
    Manifest,
    stage=st.text(min_size=1),
    number=st.text(),
    version=st.integers(0, 99),
    fingerprint=st.text(min_size=1),
    config=st.dictionaries(st.text(), JSON, max_size=3),
    inputs=st.dictionaries(st.text(), DIGESTS, max_size=2),
    artifacts=st.dictionaries(st.text(), st.builds(ArtifactEntry), max_size=2),
    files=st.dictionaries(st.text(), st.builds(FileEntry, sha256=DIGESTS), max_size=2),
    report_sha256=st.none() | DIGESTS,
    environment=st.dictionaries(st.text(), JSON, max_size=2),
)
EXAMPLE = Manifest(
    stage="codebook",
    number="0.3",
    version=1,
    fingerprint="f00d",
    config={"lr": 0.1},
    files={"a.bin": FileEntry(sha256="ab" * 32, size=12)},
    created_at="2025-01-01T00:00:00.000000+00:00",
)


def read(data: bytes) -> Manifest:
    return decode(data, Manifest, key="stages/x/f/manifest.json", url="a store")


@settings(deadline=None, max_examples=60)
@given(MANIFESTS)
def test_a_manifest_reads_back_as_it_was_written(manifest: Manifest) -> None:
    assert read(encode(manifest)) == manifest


def test_numbers_that_json_does_not_have_become_null() -> None:
    manifest = EXAMPLE.model_copy(update={"environment": {"a": math.inf, "b": [math.nan, 1.5]}})
    data = encode(manifest)
    assert b"Infinity" not in data
    assert b"NaN" not in data
    assert read(data).environment == {"a": None, "b": [None, 1.5]}


@given(st.integers(0), st.integers(1, 255))
def test_no_changed_byte_ever_changes_what_a_manifest_says(place: int, mask: int) -> None:
    data = bytearray(encode(EXAMPLE))
    data[place % len(data)] ^= mask
    with suppress(CorruptObjectError):
        assert read(bytes(data)) == EXAMPLE  # a blank between two tokens became another


@given(st.integers(0, len(encode(EXAMPLE)) - 2))
def test_a_truncated_manifest_is_refused(length: int) -> None:
    with pytest.raises(CorruptObjectError):
        read(encode(EXAMPLE)[:length])


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        read(data)


def test_a_manifest_of_a_newer_voltx_asks_for_that_voltx() -> None:
    newer: dict[str, Any] = {"schema_version": 2, "brand": "new"}
    data = encode(Manifest.model_construct(**newer))
    with pytest.raises(StoreError, match=r"format 2, this voltx reads 1\. Install the voltx"):
        read(data)


def test_the_digest_of_a_folder_depends_on_every_name_and_digest() -> None:
    files = {"a": "1" * 64, "b/c": "2" * 64}
    digest = tree_digest(files)
    assert digest == tree_digest(dict(reversed(files.items())))
    assert digest != tree_digest({"a": "1" * 64, "b/d": "2" * 64})
    assert digest != tree_digest({"a": "2" * 64, "b/c": "2" * 64})
    assert digest != tree_digest({"a": "1" * 64})
