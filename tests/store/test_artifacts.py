"""Stages in a store: committed once, whole, verified, whoever writes and dies meanwhile."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voltx_core.errors import StoreError
from voltx_core.store import (
    ArtifactStore,
    CorruptObjectError,
    Manifest,
    open_store,
    sha256_bytes,
    tree_digest,
)

FILES = {
    "codebook.bin": b"\x00\x01\x02" * 1000,
    "tokenizer/vocab.json": b"{}",
    "tokenizer/deep/merges.txt": b"a b\n",
    "tokenizer.json": b"not in the folder",
    "report.json": b'{"loss": 1}',
}


@pytest.fixture
def committed(
    artifacts: ArtifactStore, draft: Callable[..., Manifest], outputs: Callable[..., Path]
) -> Manifest:
    return artifacts.commit(draft(book="codebook.bin", tokenizer="tokenizer"), outputs(FILES))


def damage(path: Path) -> None:
    """Flip one bit, leaving size and times as they are."""
    before = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def outputs_key(artifacts: ArtifactStore, name: str) -> str:
    (key,) = [found.key for found in artifacts.store.list("stages/") if found.key.endswith(name)]
    return key


def test_a_commit_records_every_digest(committed: Manifest, artifacts: ArtifactStore) -> None:
    assert {name: entry.sha256 for name, entry in committed.files.items()} == {
        name: sha256_bytes(data) for name, data in FILES.items()
    }
    assert committed.artifacts["book"].sha256 == sha256_bytes(FILES["codebook.bin"])
    assert committed.artifacts["book"].size == 3000
    assert committed.artifacts["tokenizer"].size == 6
    assert committed.artifacts["tokenizer"].sha256 == tree_digest(
        {
            "vocab.json": sha256_bytes(FILES["tokenizer/vocab.json"]),
            "deep/merges.txt": sha256_bytes(FILES["tokenizer/deep/merges.txt"]),
        }
    )
    assert committed.report_sha256 == sha256_bytes(FILES["report.json"])
    assert artifacts.manifest("codebook", "f00d") == committed
    assert artifacts.manifest("codebook", "beef") is None


def test_artifacts_are_fetched_as_files_and_folders(
    committed: Manifest, artifacts: ArtifactStore
) -> None:
    assert artifacts.fetch(committed, "book").read_bytes() == FILES["codebook.bin"]
    folder = artifacts.fetch(committed, "tokenizer")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {"vocab.json", "deep/merges.txt"}
    assert artifacts.fetch_file(committed, "report.json").read_bytes() == FILES["report.json"]


def test_what_a_stage_did_not_make_is_named_with_what_it_made(
    committed: Manifest, artifacts: ArtifactStore
) -> None:
    with pytest.raises(StoreError, match="no artifact 'weights', but: book, tokenizer"):
        artifacts.fetch(committed, "weights")
    with pytest.raises(StoreError, match=r"no file 'x'.*codebook.bin"):
        artifacts.fetch_file(committed, "x")


def test_a_flipped_byte_in_the_store_is_found_on_fetch(
    committed: Manifest, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    artifacts.fetch(committed, "book")
    key = outputs_key(artifacts, "codebook.bin")
    path = artifacts.store.local_path(key)
    if path is not None:
        damage(path)
    else:
        artifacts.store.put_bytes(key, b"\xff" + FILES["codebook.bin"][1:])
    fresh = ArtifactStore(artifacts.store, tmp_path / "another machine")
    with pytest.raises(CorruptObjectError, match=r"codebook\.bin") as caught:
        fresh.fetch(committed, "book")
    assert caught.value.expected == committed.files["codebook.bin"].sha256
    fresh.fetch(committed, "tokenizer")  # the others are not concerned


def test_a_flipped_byte_is_found_although_the_file_was_verified_before(
    committed: Manifest, artifacts: ArtifactStore
) -> None:
    path = artifacts.fetch(committed, "book")
    artifacts.fetch(committed, "book")
    damage(path)
    if artifacts.store.local_path("x") is not None:
        with pytest.raises(CorruptObjectError, match="damaged or changed"):
            artifacts.fetch(committed, "book")
    else:  # only the copy in the cache is damaged: it is fetched again
        assert artifacts.fetch(committed, "book").read_bytes() == FILES["codebook.bin"]


def test_a_file_that_vanished_is_reported_as_damage(
    committed: Manifest, artifacts: ArtifactStore
) -> None:
    artifacts.store.delete(outputs_key(artifacts, "vocab.json"))
    with pytest.raises(CorruptObjectError, match="got nothing"):
        artifacts.fetch(committed, "tokenizer")


@pytest.mark.parametrize("change", [b'"0.3"', b'"size": 3000', b"codebook.bin"])
def test_a_manifest_whose_bytes_changed_is_refused(
    committed: Manifest, artifacts: ArtifactStore, change: bytes
) -> None:
    key = f"stages/{committed.stage}/{committed.fingerprint}/manifest.json"
    data = artifacts.store.get_bytes(key)
    assert change in data
    flipped = change[:-2] + bytes([change[-2] ^ 1]) + change[-1:]
    artifacts.store.put_bytes(key, data.replace(change, flipped, 1))
    with pytest.raises(CorruptObjectError, match="runs again"):
        artifacts.manifest("codebook", "f00d")
    assert artifacts.manifests("codebook") == []


def test_a_truncated_manifest_is_refused(committed: Manifest, artifacts: ArtifactStore) -> None:
    key = "stages/codebook/f00d/manifest.json"
    artifacts.store.put_bytes(key, artifacts.store.get_bytes(key)[:200])
    with pytest.raises(CorruptObjectError, match="JSON"):
        artifacts.manifest(committed.stage, committed.fingerprint)


def test_the_manifest_is_plain_json_anyone_can_read(
    committed: Manifest, artifacts: ArtifactStore
) -> None:
    fields = json.loads(artifacts.store.get_bytes("stages/codebook/f00d/manifest.json"))
    assert fields["inputs"] == committed.inputs
    assert fields["artifacts"]["book"]["sha256"] == committed.artifacts["book"].sha256


def test_history_is_newest_first(
    artifacts: ArtifactStore, draft: Callable[..., Manifest], outputs: Callable[..., Path]
) -> None:
    folder = outputs(FILES)
    for fingerprint in ("c", "a", "b"):
        artifacts.commit(draft(fingerprint), folder)
    artifacts.save_progress("codebook", "unfinished", 1, folder)
    assert [m.fingerprint for m in artifacts.manifests("codebook")] == ["b", "a", "c"]
    assert artifacts.manifests("other") == []


def test_a_promised_artifact_that_was_not_written_is_no_commit(
    artifacts: ArtifactStore, draft: Callable[..., Manifest], outputs: Callable[..., Path]
) -> None:
    folder = outputs(FILES)
    (folder / "empty").mkdir()
    for path in ("nowhere.bin", "empty"):
        with pytest.raises(StoreError, match=f"'weights' and wrote nothing at .*{path}"):
            artifacts.commit(draft(weights=path), folder)
    with pytest.raises(StoreError, match="leave the store"):
        artifacts.commit(draft(weights="../outputs/codebook.bin"), folder)
    with pytest.raises(StoreError, match="no folder"):
        artifacts.commit(draft(), folder / "none")
    (folder / "link").symlink_to(folder / "codebook.bin")
    with pytest.raises(StoreError, match="is a link"):
        artifacts.commit(draft(), folder)
    assert list(artifacts.store.list()) == []


@pytest.mark.parametrize("fingerprint", ["../x", "a/b", ""])
def test_fingerprints_cannot_leave_their_folder(artifacts: ArtifactStore, fingerprint: str) -> None:
    with pytest.raises(StoreError, match="cannot be"):
        artifacts.manifest("codebook", fingerprint)


def test_a_second_commit_returns_the_first(
    committed: Manifest,
    artifacts: ArtifactStore,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
) -> None:
    other = outputs({"codebook.bin": b"other bytes"}, name="other")
    before = list(artifacts.store.list())
    assert artifacts.commit(draft(book="codebook.bin"), other) == committed
    assert list(artifacts.store.list()) == before


@pytest.mark.parametrize("same_bytes", [True, False])
def test_concurrent_commits_of_one_fingerprint_leave_one_whole_result(
    address: tuple[str, str | None],
    tmp_path: Path,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
    same_bytes: bool,
) -> None:
    writers = 3
    start = threading.Barrier(writers)

    def commit(number: int) -> Manifest:
        mark = b"x" if same_bytes else b"%d" % number
        folder = outputs({f"w/{n}.bin": mark * 5000 for n in range(6)}, name=f"writer {number}")
        store = open_store(address[0], endpoint_url=address[1])
        artifacts = ArtifactStore(store, tmp_path / f"cache {number}")
        artifacts.manifest("codebook", "f00d")  # connected before the start
        start.wait(30)
        return artifacts.commit(draft(weights="w"), folder)

    with ThreadPoolExecutor(writers) as pool:
        answers = list(pool.map(commit, range(writers)))
    assert answers[0] == answers[1] == answers[2]
    store = open_store(address[0], endpoint_url=address[1])
    folder = ArtifactStore(store, tmp_path / "cache").fetch(answers[0], "weights")
    contents = {path.read_bytes() for path in folder.iterdir()}
    assert len(list(folder.iterdir())) == 6
    assert len(contents) == 1


DYING = """
import os, signal, sys
from pathlib import Path
from voltx_core.store import ArtifactEntry, ArtifactStore, Manifest, open_store

class Dying:
    '''A store whose process is killed when n files are stored, or at the manifest.'''
    def __init__(self, store, last):
        self.store, self.left = store, last
    def __getattr__(self, name):
        return getattr(self.store, name)
    def put_file(self, *args, **kwargs):
        info = self.store.put_file(*args, **kwargs)
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return info
    def create(self, *args):
        os.kill(os.getpid(), signal.SIGKILL)

url, endpoint, cache, folder, last = sys.argv[1:]
store = Dying(open_store(url, endpoint_url=endpoint or None), int(last))
draft = Manifest(stage="codebook", number="0.3", version=1, fingerprint="f00d",
                 artifacts={"book": ArtifactEntry(path="codebook.bin")})
ArtifactStore(store, Path(cache)).commit(draft, Path(folder))
"""


@pytest.mark.parametrize("last", [2, 99], ids=["among the files", "before the manifest"])
def test_a_killed_commit_leaves_no_manifest_and_a_later_one_succeeds(
    address: tuple[str, str | None],
    artifacts: ArtifactStore,
    tmp_path: Path,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
    last: int,
) -> None:
    folder = outputs(FILES | {"report.json": b"of the first attempt"}, name="first")
    writer = subprocess.run(
        [sys.executable, "-c", DYING, address[0], address[1] or "", tmp_path, folder, str(last)],
        check=False,
        timeout=60,
    )
    assert writer.returncode == -signal.SIGKILL
    assert any("outputs" in found.key for found in artifacts.store.list())
    assert artifacts.manifest("codebook", "f00d") is None
    assert artifacts.manifests("codebook") == []

    committed = artifacts.commit(draft(book="codebook.bin"), outputs(FILES))
    assert artifacts.manifest("codebook", "f00d") == committed
    assert artifacts.fetch(committed, "book").read_bytes() == FILES["codebook.bin"]
    stored = [found.key for found in artifacts.store.list("stages/codebook/f00d/")]
    assert len(stored) == len(FILES) + 1  # the dead writer's files are gone


def test_a_result_can_be_replaced_as_a_whole(
    committed: Manifest,
    artifacts: ArtifactStore,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
) -> None:
    other = artifacts.commit(
        draft(book="new.bin"), outputs({"new.bin": b"n"}, name="new"), replace=True
    )
    assert other.files != committed.files
    assert artifacts.manifest("codebook", "f00d") == other
    assert artifacts.fetch(other, "book").read_bytes() == b"n"
    stored = [found.key for found in artifacts.store.list("stages/codebook/f00d/")]
    assert len(stored) == 2  # nothing of the old one is left


def test_a_replacement_that_is_not_whole_leaves_what_was_committed(
    committed: Manifest,
    artifacts: ArtifactStore,
    draft: Callable[..., Manifest],
    outputs: Callable[..., Path],
) -> None:
    with pytest.raises(StoreError, match="promised"):
        artifacts.commit(draft(book="absent"), outputs({"new.bin": b"n"}, name="n"), replace=True)
    assert artifacts.manifest("codebook", "f00d") == committed
    assert artifacts.fetch(committed, "book").read_bytes() == FILES["codebook.bin"]


def test_records_are_kept_as_json(artifacts: ArtifactStore) -> None:
    assert artifacts.get_json("runs/r1.json") is None
    artifacts.put_json("runs/r1.json", {"codebook": "f00d", "é": [1, 2.5, None, True]})
    assert artifacts.get_json("runs/r1.json") == {"codebook": "f00d", "é": [1, 2.5, None, True]}
    artifacts.put_json("runs/r1.json", {"loss": math.nan, "best": (math.inf, 1.0)})
    assert artifacts.get_json("runs/r1.json") == {"loss": None, "best": [None, 1.0]}
    artifacts.store.put_bytes("runs/r1.json", b'{"cut')
    with pytest.raises(StoreError, match=r"runs/r1\.json.*is not JSON"):
        artifacts.get_json("runs/r1.json")
