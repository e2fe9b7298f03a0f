"""How a run ends: wait for every stage, write the report, say what failed."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from tasks.dispatch import Waits, reason
from tasks.notification import notify
from tasks.outages import insistently
from tasks.run import Run
from voltx_core.errors import BudgetError, StageError
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

logger = logging.getLogger("voltx_core.conclusion")


def conclude(run: Run, *stages: Waits) -> None:
    """Wait for the stages, write the report whatever happened, and judge the run.

    Raises:
        StageError: Stages failed, which it names with those that could not start for them, or
            the report did.
        BudgetError: The budget was spent, and nothing else kept the run from completing.
    """
    futures = list(dict.fromkeys(future for waits in stages for future in waits))
    states: list[State[Any]] = []
    for future in futures:
        future.wait()
        states.append(future.state)
    mistake = insistently(lambda: _mistake(run, states))
    stopped = insistently(lambda: _stopped(run)) if mistake else False
    outcome: dict[str, Any] = {
        "state": "stopped" if stopped else "failed" if mistake else "completed",
        "why": mistake,
        "started_at": run.asked_at,
        "finished_at": _now(),
    }
    artifacts, key = Workspace.open().artifacts, f"runs/{run.run_id}/outcome.json"
    insistently(lambda: artifacts.put_json(key, outcome))  # the report reads it
    written = None
    if run.rehearse_s is None:
        written = report.with_options(task_run_name="report")(run, return_state=True)
    place = written.result() if written is not None and written.is_completed() else None
    outcome |= {"finished_at": _now(), "report": place}
    if written is not None and place is None and not mistake:
        mistake = f"The stages have finished, but not the report: {reason(written)}"
        outcome |= {"state": "failed", "why": mistake}
    insistently(lambda: artifacts.put_json(key, outcome))
    notify(run.run_id, outcome)
    if mistake:
        raise BudgetError(mistake) if stopped else StageError(mistake)


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report(run: Run) -> str:
    """Write the report of the run and link it; returns where it is."""
    from voltx_core.report.report_card import write_report

    workspace = Workspace.open()
    path = Path(insistently(lambda: write_report(run.run_id, workspace))).absolute()
    folder = path if path.is_dir() else path.parent
    page = folder / "report.html"
    create_link_artifact(link=page.as_uri(), link_text=str(page), key="report")
    text = folder / "report.md"
    if text.is_file():
        create_markdown_artifact(text.read_text(), key="report-card", description=run.run_id)
    logger.info("The report is at %s", page)
    return str(folder)


def _mistake(run: Run, states: list[State[Any]]) -> str | None:
    """What kept the run from completing, or None."""
    record = RunRecord(Workspace.open().artifacts, run.run_id)
    failed = [state for state in states if not state.is_completed() and state.is_final()]
    foreign = len(run.stages) - len(states)  # selected, but the graph never submitted them
    if not failed and not foreign and all(state.is_completed() for state in states):
        return None
    parts = []
    if failed:
        parts.append(f"{len(failed)} of {len(states)} stages did not finish:")
        parts += [f"- {reason(state)}" for state in failed]
    if foreign:
        parts.append(f"{foreign} of {len(run.stages)} selected stages are not part of this graph.")
    blocked = [row["name"] for row in record.rows() if row["state"] == "waiting"]
    why = "a stage before it did not finish" if failed else "this graph does not visit it"
    for name in blocked:
        record.stage(name, state="blocked", why=why)
    if blocked:
        parts.append(f"Not started for that: {', '.join(blocked)}.")
    return "\n".join(parts)


def _stopped(run: Run) -> bool:
    """Whether the budget is all that kept the run from completing."""
    states = {row["state"] for row in RunRecord(Workspace.open().artifacts, run.run_id).rows()}
    return "stopped" in states and "failed" not in states


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
