"""How a run is judged when all of its stages have ended."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks import conclusion
from tasks.conclusion import conclude
from tasks.run import Run
from voltx_core.config import resolve
from voltx_core.errors import StageError
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace


class Ended:
    """A submitted stage that has ended."""

    def __init__(self, state: State) -> None:
        self.state = state

    def wait(self) -> None: ...


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    monkeypatch.setenv("VOLTX_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("VOLTX_HOME", str(tmp_path / "home"))
    return RunRecord(Workspace.open().artifacts, "r1")


def ending(
    record: RunRecord, stages: tuple[str, ...], *states: State, rehearse_s: float | None = 0.0
) -> dict:
    """The outcome of a rehearsed run of these stages, whose submitted ones ended like this."""
    record.start(resolve("tiny", environ={}), stages)
    run = Run("r1", "root", "2026-01-01T00:00:00+00:00", "tiny", {}, stages, rehearse_s=rehearse_s)
    mistake = None
    try:
        conclude(run, tuple(Ended(state) for state in states))  # type: ignore[arg-type]
    except StageError as error:
        mistake = str(error)
    outcome = Workspace.open().artifacts.get_json("runs/r1/outcome.json")
    assert outcome["why"] == mistake
    return outcome


def test_a_run_whose_stages_all_completed_has_completed(record: RunRecord) -> None:
    assert ending(record, ("data",), Completed())["state"] == "completed"


def test_a_selected_stage_that_was_never_submitted_fails_the_run(record: RunRecord) -> None:
    outcome = ending(record, ("vincigpt_corpus", "vincigpt"))
    assert outcome["state"] == "failed"
    assert "2 of 2 selected stages are not part of this graph" in outcome["why"]
    assert "vincigpt_corpus, vincigpt" in outcome["why"]
    assert record.of("vincigpt")["state"] == "blocked"


def test_a_failed_stage_is_named_with_its_reason(record: RunRecord) -> None:
    outcome = ending(record, ("data", "translator"), Failed(message="no disk"), Completed())
    assert outcome["state"] == "failed"
    assert outcome["why"].startswith("1 of 2 stages did not finish:\n- no disk")


def test_a_report_that_could_not_be_written_fails_the_run_and_is_told(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    failing = SimpleNamespace(
        with_options=lambda **_: lambda *_, **__: Failed(message="no space left on device")
    )
    monkeypatch.setattr(conclusion, "report", failing)
    monkeypatch.setattr(conclusion, "notify", lambda _, outcome: told.append(outcome["state"]))
    outcome = ending(record, ("data",), Completed(), rehearse_s=None)
    assert outcome["state"] == "failed"
    assert "no space left on device" in outcome["why"]
    assert told == ["failed"]
