import json

from voltx_core.cli.copy import copy


def test_a_store_is_copied_and_the_second_time_nothing_is_sent(invoke, workspace, tmp_path):
    workspace.artifacts.put_json("runs/a-run.json", {"run_id": "a-run"})
    target = str(tmp_path / "backup")
    first = invoke(copy, workspace.url, target)
    assert first.exit_code == 0
    assert "verified by SHA-256: 1 sent" in " ".join(first.stdout.split())
    again = invoke(copy, workspace.url, target, "--json")
    assert json.loads(again.stdout) == {
        "objects": 1,
        "sent": 0,
        "sent_bytes": 0,
        "gone": 0,
        "unverified": 0,
    }


def test_a_place_that_is_none_is_refused(invoke, workspace):
    result = invoke(copy, workspace.url, "ftp://nowhere")
    assert result.exit_code == 1
    assert "ftp://nowhere" in result.stderr


def test_a_source_with_nothing_in_it_is_a_mistake_and_no_success(invoke, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    for name in ("volt-stroe", "empty", "file"):
        result = invoke(copy, str(tmp_path / name), str(tmp_path / "backup"))
        assert result.exit_code == 2
        assert "There is nothing to copy at" in result.stderr
    assert not (tmp_path / "backup").exists()


def test_neither_place_may_lie_within_the_other(invoke, workspace, tmp_path):
    workspace.artifacts.put_json("runs/a-run.json", {"run_id": "a-run"})
    (tmp_path / "link").symlink_to(workspace.url)
    pairs = [
        (workspace.url, f"{workspace.url}/backup"),
        (workspace.url, str(tmp_path / "link")),
        ("s3://bucket/store/part", "s3://bucket/store"),
    ]
    for source, target in pairs:
        result = invoke(copy, source, target)
        assert result.exit_code == 2
        assert "one within the other" in " ".join(result.stderr.split())
    beside = invoke(copy, workspace.url, f"{workspace.url}-backup")
    assert beside.exit_code == 0
