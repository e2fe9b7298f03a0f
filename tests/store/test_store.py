"""What every store promises, on a folder and on a real S3 server alike."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltx_core.errors import StoreError
from voltx_core.store import (
    CorruptObjectError,
    MissingObjectError,
    Store,
    open_store,
    sha256_bytes,
)

LETTERS = st.characters(
    codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters="/\\"
)
SEGMENTS = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda text: text not in (".", "..") and not text.startswith(".voltx")
)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


def keys(store: Store, prefix: str = "") -> list[str]:
    return [found.key for found in store.list(prefix)]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=KEYS, data=st.binary(max_size=300))
def test_any_valid_key_gives_back_the_bytes_it_was_given(
    store: Store, key: str, data: bytes
) -> None:
    info = store.put_bytes(key, data)
    assert (info.key, info.size, info.sha256) == (key, len(data), sha256_bytes(data))
    assert store.get_bytes(key) == data
    assert keys(store) == [key]
    found = store.stat(key)
    assert found is not None
    assert found.size == len(data)
    store.delete(key)
    assert store.stat(key) is None


BAD_KEYS = [
    "../x",
    "a/../../x",
    "/etc/passwd",
    "",
    ".",
    "a//b",
    "a/",
    "a/./b",
    "a\\..\\b",
    "a\nb",
    "a\x00b",
    ".voltx-scratch/x",
    "x" * 256,
    "\ud800",
]


def test_keys_that_escape_or_that_a_store_would_mangle_are_refused(
    store: Store, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    doors = (
        lambda key: store.put_bytes(key, b"x"),
        lambda key: store.put_file(key, source),
        lambda key: store.create(key, b"x"),
        lambda key: store.get_bytes(key),
        lambda key: store.get_file(key, tmp_path / "target"),
        lambda key: store.stat(key),
        lambda key: store.delete(key),
        lambda key: store.local_path(key),
    )
    for key, door in itertools.product(BAD_KEYS, doors):
        with pytest.raises(StoreError, match="cannot be a key"):
            door(key)
    assert keys(store) == []


def test_a_file_goes_in_and_comes_out_with_its_digest(store: Store, tmp_path: Path) -> None:
    source, data = tmp_path / "source.bin", bytes(range(256)) * 5000
    source.write_bytes(data)
    info = store.put_file("stages/x/model.bin", source, sha256=sha256_bytes(data))
    assert info.sha256 == sha256_bytes(data)
    target = tmp_path / "deep" / "er" / "target.bin"
    store.get_file("stages/x/model.bin", target, sha256=sha256_bytes(data))
    assert target.read_bytes() == data
    assert [path.name for path in target.parent.iterdir()] == ["target.bin"]


def test_an_empty_file_is_an_object_like_any_other(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.touch()
    store.put_file("empty", source)
    store.get_file("empty", tmp_path / "back", sha256=sha256_bytes(b""))
    assert (tmp_path / "back").read_bytes() == b""


def test_a_file_that_is_not_what_it_was_said_to_be_is_not_stored(
    store: Store, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"changed meanwhile")
    store.put_bytes("key", b"before")
    with pytest.raises(CorruptObjectError, match="changed while it was being stored"):
        store.put_file("key", source, sha256=sha256_bytes(b"as it was hashed"))
    assert store.get_bytes("key") == b"before"


def test_a_wrong_digest_never_reaches_the_final_name(store: Store, tmp_path: Path) -> None:
    store.put_bytes("key", b"what is there")
    target = tmp_path / "target"
    target.write_bytes(b"what was there before")
    wanted = sha256_bytes(b"what is wanted")
    with pytest.raises(CorruptObjectError) as caught:
        store.get_file("key", target, sha256=wanted)
    assert (caught.value.key, caught.value.expected) == ("key", wanted)
    assert caught.value.got == sha256_bytes(b"what is there")
    assert "run again the stage" in str(caught.value)
    assert target.read_bytes() == b"what was there before"
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_missing_object_is_named_with_a_remedy(store: Store, tmp_path: Path) -> None:
    for attempt in (
        lambda: store.get_bytes("stages/x/none"),
        lambda: store.get_file("stages/x/none", tmp_path / "target"),
    ):
        with pytest.raises(MissingObjectError, match=r"stages/x/none.*Run the stage"):
            attempt()
    assert store.stat("stages/x/none") is None
    assert not (tmp_path / "target").exists()


def test_a_missing_source_file_is_blamed_on_the_source(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"could not read .*nowhere"):
        store.put_file("key", tmp_path / "nowhere")


def test_a_put_replaces_and_a_create_does_not(store: Store) -> None:
    assert store.create("key", b"first")
    assert not store.create("key", b"second")
    assert store.get_bytes("key") == b"first"
    store.put_bytes("key", b"third")
    assert store.get_bytes("key") == b"third"
    store.delete("key")
    assert store.create("key", b"fourth")


def test_of_many_concurrent_creators_exactly_one_wins(address: tuple[str, str | None]) -> None:
    writers = 4
    start = threading.Barrier(writers)
    stores = [open_store(address[0], endpoint_url=address[1]) for _ in range(writers)]

    def create(number: int) -> bool:
        start.wait(30)
        return stores[number].create("stages/x/manifest.json", b"writer %d" % number)

    with ThreadPoolExecutor(writers) as pool:
        won = list(pool.map(create, range(writers)))
    assert sum(won) == 1
    assert stores[0].get_bytes("stages/x/manifest.json") == b"writer %d" % won.index(True)


def test_listing_is_recursive_sorted_and_by_prefix(store: Store) -> None:
    for key in ("b/2", "a.c", "a/1", "a/10/x", "a/b/c", "a0", "é", "z/z"):
        store.put_bytes(key, key.encode())
    assert keys(store) == ["a.c", "a/1", "a/10/x", "a/b/c", "a0", "b/2", "z/z", "é"]
    assert keys(store, "a/1") == ["a/1", "a/10/x"]
    assert keys(store, "a/10/") == ["a/10/x"]
    assert keys(store, "a") == ["a.c", "a/1", "a/10/x", "a/b/c", "a0"]
    assert keys(store, "nothing/here/") == []
    assert [found.size for found in store.list("a/b")] == [5]
    with pytest.raises(StoreError, match="leave the store"):
        keys(store, "../")


def test_folders_are_the_names_directly_below(store: Store) -> None:
    for key in ("stages/a/f1/x", "stages/a/f2/y/z", "stages/a/file", "stages/b/f3/x", "top"):
        store.put_bytes(key, b"")
    assert list(store.folders()) == ["stages"]
    assert list(store.folders("stages/a")) == ["f1", "f2"]
    assert list(store.folders("stages/a/")) == ["f1", "f2"]
    assert list(store.folders("stages/none")) == []


def test_deleting_a_prefix_takes_the_folder_and_not_its_namesakes(store: Store) -> None:
    for key in ("run/1/a", "run/1/b/c", "run/10/a", "run/1x"):
        store.put_bytes(key, b"")
    assert store.delete_prefix("run/1") == 2
    assert keys(store) == ["run/10/a", "run/1x"]
    assert store.delete_prefix("run/1/") == 0
    for everything in ("", "/"):
        with pytest.raises(StoreError, match="whole store"):
            store.delete_prefix(everything)


def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    store.delete("never/was")
    assert keys(store) == []


def test_check_accepts_a_good_store_and_leaves_nothing(store: Store) -> None:
    store.check()
    assert keys(store) == []
    assert list(store.folders()) == []


def test_the_url_of_a_store_opens_it_again(store: Store, address: tuple[str, str | None]) -> None:
    store.put_bytes("key", b"data")
    again = open_store(store.url, endpoint_url=address[1])
    assert again.get_bytes("key") == b"data"


def test_readers_see_old_or_new_bytes_and_never_a_mixture(store: Store) -> None:
    size, rounds = 200_000, 12
    store.put_bytes("key", b"\x00" * size)
    done = threading.Event()

    def write() -> None:
        for number in range(1, rounds):
            store.put_bytes("key", bytes([number]) * size)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not done.is_set() and not writing.done():
            data = store.get_bytes("key")
            assert len(data) == size
            assert len(set(data)) == 1
        writing.result()
