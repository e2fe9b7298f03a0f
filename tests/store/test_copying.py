"""Copies of stores: whole at every moment, resumable, verified, and cheap the second time."""

import tempfile
import threading
import urllib.request

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


def test_what_rotted_in_the_source_never_reaches_a_backup(filled, tmp_path):
    """The manifest says what it should be, whatever the bytes hash to by now."""
    backup = LocalStore(tmp_path / "backup")
    copy_store(filled, backup)
    victim = next(info for info in filled.list() if info.key.endswith("m.bin"))
    intact = filled.get_bytes(victim.key)
    filled.put_bytes(victim.key, b"x" * victim.size)
    assert copy_store(filled, backup).sent == 0
    assert backup.get_bytes(victim.key) == intact
    empty = LocalStore(tmp_path / "copy")
    with pytest.raises(CorruptObjectError, match=victim.key):
        copy_store(filled, empty)
    assert victim.key not in contents(empty)
    assert not list(ArtifactStore(empty, tmp_path / "elsewhere").manifests("codebook"))


def test_a_damaged_manifest_is_not_copied_over_an_intact_one(filled, tmp_path):
    backup = LocalStore(tmp_path / "backup")
    copy_store(filled, backup)
    key = "stages/codebook/f00d0/manifest.json"
    intact = filled.get_bytes(key)
    filled.put_bytes(key, intact.replace(b"0.3", b"0.4"))
    with pytest.raises(CorruptObjectError):
        copy_store(filled, backup)
    assert backup.get_bytes(key) == intact


def test_broken_off_over_another_result_of_the_stage_a_copy_holds_one_of_them_whole(
    filled, outputs, draft, tmp_path
):
    total = sum(not info.key.endswith("pulse.json") for info in filled.list())
    other = outputs({"m.bin": b"another", "more.txt": b"of it"}, "other")
    for allowed in range(total):
        target = LocalStore(tmp_path / f"copy-{allowed}")
        theirs = ArtifactStore(target, tmp_path / f"cache-{allowed}")
        theirs.commit(draft("f00d0", model="m.bin"), other)
        left = [allowed]

        def poll(left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Interrupted("asked to stop")

        with pytest.raises(Interrupted):
            copy_store(filled, target, poll=poll)
        manifest = theirs.manifest("codebook", "f00d0")
        assert theirs.fetch(manifest, "model").read_bytes() in (b"another", bytes(5000))


def test_a_stage_that_is_made_anew_meanwhile_arrives_whole(
    filled, artifacts, outputs, draft, tmp_path
):
    once = threading.Lock()
    folder = outputs({"m.bin": b"made anew"}, "anew")

    def poll():
        if once.acquire(blocking=False):
            artifacts.commit(draft("f00d0", model="m.bin"), folder, replace=True)

    target = ArtifactStore(LocalStore(tmp_path / "copy"), tmp_path / "elsewhere")
    copy_store(filled, target.store, poll=poll)
    manifest = target.manifest("codebook", "f00d0")
    assert target.fetch(manifest, "model").read_bytes() == b"made anew"


def test_what_passes_through_lies_in_the_target_and_nowhere_beside_it(
    tmp_path, bucket, s3_server, monkeypatch
):
    remote = open_store(f"s3://{bucket}/inputs", endpoint_url=s3_server)
    remote.put_bytes("corpus.jsonl", b"{}")
    target, rooms, make = LocalStore(tmp_path / "copy"), [], tempfile.TemporaryDirectory

    def watched(**settings):
        rooms.append(settings["dir"])
        return make(**settings)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", watched)
    copy_store(remote, target)
    assert rooms == [target.root / ".voltx-scratch"]
    assert list(rooms[0].iterdir()) == []


def test_what_the_source_knows_no_digest_of_is_counted(tmp_path, bucket, s3_server):
    large = b"x" * (copying.SMALL + 1)
    plain = {"content-type": "application/octet-stream"}
    place = f"{s3_server}/{bucket}/in/large.bin"
    request = urllib.request.Request(place, large, plain, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
    remote = open_store(f"s3://{bucket}/in", endpoint_url=s3_server)
    remote.put_bytes("small.txt", b"known")
    copied = copy_store(remote, LocalStore(tmp_path / "copy"))
    assert (copied.sent, copied.unverified) == (2, 1)


def test_what_is_removed_meanwhile_is_no_failure(filled, tmp_path):
    victim = next(info.key for info in filled.list() if "/progress/" in info.key)

    def poll():
        filled.delete(victim)

    copied = copy_store(filled, LocalStore(tmp_path / "copy"), poll=poll)
    assert copied.gone == 2  # and the manifest, which would name what is not there
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
