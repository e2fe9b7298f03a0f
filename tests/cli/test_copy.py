import json

from voltx_core.cli.copy import copy


def test_a_store_is_copied_and_the_second_time_nothing_is_sent(invoke, workspace, tmp_path):
    workspace.artifacts.put_json("runs/a-run.json", {"run_id": "a-run"})
    target = str(tmp_path / "backup")
    first = invoke(copy, workspace.url, target)
    assert first.exit_code == 0
    assert "verified by SHA-256: 1 sent" in " ".join(first.stdout.split())
    again = invoke(copy, workspace.url, target, "--json")
    assert json.loads(again.stdout) == {"objects": 1, "sent": 0, "sent_bytes": 0, "gone": 0}


def test_a_place_that_is_none_is_refused(invoke, workspace):
    result = invoke(copy, workspace.url, "ftp://nowhere")
    assert result.exit_code == 1
    assert "ftp://nowhere" in result.stderr
