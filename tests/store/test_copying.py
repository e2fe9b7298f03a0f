"""Copies of stores: whole at every moment, resumable, verified, and cheap the second time."""

import pytest

from voltx_core.errors import Interrupted
from voltx_core.store import ArtifactStore, CorruptObjectError, copying, open_store
from voltx_core.store.copying import copy_store
from voltx_core.store.local import LocalStore


@pytest.fixture
def filled(artifacts, outputs, draft):
    """A store of each kind with two stages, a checkpoint and the record of a run."""
    for number in range(2):
        folder = outputs({"m.bin": bytes([number]) * 5000, "deep/t.txt": b"text"}, f"o{number}")
        artifacts.commit(draft(f"f00d{number}", model="m.bin"), folder)
    (folder / "complete.json").write_text("{}")
    artifacts.save_progress("codebook", "beef", 7, folder)
    artifacts.put_json("runs/a-run.json", {"run_id": "a-run"})
    artifacts.put_json("runs/a-run/data.pulse.json", {"beat": 1})
    return artifacts.store


def contents(store):
    return {info.key: store.get_bytes(info.key) for info in store.list()}


def test_a_copy_is_the_store_without_its_beats(filled, tmp_path):
    target = open_store(str(tmp_path / "copy"))
    copied = copy_store(filled, target)
    expected = contents(filled)
    del expected["runs/a-run/data.pulse.json"]
    assert contents(target) == expected
    assert (copied.objects, copied.sent, copied.gone) == (len(expected), len(expected), 0)
    manifests = ArtifactStore(target, tmp_path / "elsewhere").manifests("codebook")
    assert [manifest.fingerprint for manifest in manifests] == ["f00d1", "f00d0"]


def test_the_second_copy_sends_only_what_changed(filled, tmp_path):
    target = open_store(str(tmp_path / "copy"))
    first = copy_store(filled, target)
    filled.put_bytes("runs/a-run.json", b'{"run_id": "a-run", "more": 1}')
    second = copy_store(filled, target)
    assert (second.sent, second.objects) == (1, first.objects)
    assert target.get_bytes("runs/a-run.json") == filled.get_bytes("runs/a-run.json")


def test_a_folder_of_files_goes_up_to_a_bucket_and_home_again(tmp_path, bucket, s3_server):
    mine = tmp_path / "mine"
    (mine / "sub").mkdir(parents=True)
    (mine / "sub" / "corpus.jsonl").write_bytes(b"{}\n" * 1000)
    (mine / "large.bin").write_bytes(bytes(range(256)) * (12 << 12))
    remote = open_store(f"s3://{bucket}/inputs", endpoint_url=s3_server)
    assert copy_store(LocalStore(mine), remote).sent == 2
    assert copy_store(LocalStore(mine), remote).sent == 0
    home = LocalStore(tmp_path / "home")
    copy_store(remote, home)
    assert contents(home) == contents(LocalStore(mine))


def test_broken_off_anywhere_a_copy_has_no_manifest_without_its_files(filled, tmp_path):
    total = copy_store(filled, open_store(str(tmp_path / "whole"))).objects
    for allowed in range(total):
        target = open_store(str(tmp_path / f"copy-{allowed}"))
        left = [allowed]

        def poll(left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Interrupted("asked to stop")

        with pytest.raises(Interrupted):
            copy_store(filled, target, poll=poll)
        artifacts = ArtifactStore(target, tmp_path / f"cache-{allowed}")
        for manifest in artifacts.manifests("codebook"):
            assert artifacts.fetch(manifest, "model").stat().st_size == 5000
        copy_store(filled, target)
        assert len(contents(target)) == total


def test_what_is_damaged_in_the_target_is_sent_again(filled, tmp_path):
    target = LocalStore(tmp_path / "copy")
    copy_store(filled, target)
    victim = next(info for info in target.list() if info.key.endswith("m.bin"))
    path = target.local_path(victim.key)
    path.chmod(0o644)
    path.write_bytes(b"x" * victim.size)
    assert copy_store(filled, target).sent == 1
    assert contents(target)[victim.key] == filled.get_bytes(victim.key)


def test_what_is_damaged_on_disk_is_never_copied_over_its_digest(filled, tmp_path, monkeypatch):
    """Whatever a store says of an object is compared with what arrives."""
    victim = next(info for info in filled.list() if info.key.endswith("m.bin"))
    promise = copying._digest

    def promised(store, info):
        return "0" * 64 if info.key == victim.key and store is filled else promise(store, info)

    monkeypatch.setattr(copying, "_digest", promised)
    target = LocalStore(tmp_path / "copy")
    with pytest.raises(CorruptObjectError):
        copy_store(filled, target)
    assert victim.key not in contents(target)


def test_what_is_removed_meanwhile_is_no_failure(filled, tmp_path):
    victim = next(info.key for info in filled.list() if "/progress/" in info.key)

    def poll():
        filled.delete(victim)

    copied = copy_store(filled, LocalStore(tmp_path / "copy"), poll=poll)
    assert copied.gone == 1
    assert victim not in contents(LocalStore(tmp_path / "copy"))


def test_nothing_is_removed_from_the_target(filled, tmp_path):
    target = LocalStore(tmp_path / "copy")
    target.put_bytes("mine.txt", b"kept")
    copy_store(filled, target)
    assert target.get_bytes("mine.txt") == b"kept"


def test_progress_is_told(filled, tmp_path):
    told: list[tuple[int, int]] = []
    total = copy_store(
        filled,
        LocalStore(tmp_path / "copy"),
        tell=lambda done, all_: told.append((done, all_)),
    ).objects
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == list(range(1, total + 1))
