"""What `voltx run` refuses before it starts anything."""

from pathlib import Path

import pytest
import typer

from deployments.commands.run import run


@pytest.mark.parametrize("asked", [{"only": ["vincigpt"]}, {"until": "8.2"}, {"force": ["8.1"]}])
def test_a_stage_that_stands_aside_is_refused_with_its_own_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, asked: dict
) -> None:
    monkeypatch.setattr("deployments.local.bring_up", lambda _: pytest.fail("services were begun"))
    with pytest.raises(typer.Exit) as left:
        run("tiny", store=str(tmp_path / "store"), **asked)
    assert left.value.exit_code == 2
    assert "voltx vincigpt train" in " ".join(capsys.readouterr().err.split())
