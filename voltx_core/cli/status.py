"""`voltx status`: how each stage of a run is doing, read from the store alone."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from voltx_core.stages.workspace import Workspace

Run = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Id of the run; default: the latest one.")
]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Stay, and follow the run until it has ended.")
]

Timeline = Annotated[
    bool,
    typer.Option("--timeline", help="Show which machine worked on which stage, and when."),
]


@explained()
def status(
    run: Run = None,
    store: StoreUrl = None,
    watch: Watch = False,
    timeline: Timeline = False,
    as_json: AsJson = False,
) -> None:
    """Show the stages of a run: waiting, running, committed or failed, and why.

    It needs the store only, so it works on any machine that reaches it, also while the server of
    the run is down. Ctrl-C leaves a watched run alone.

    Examples:

      voltx status                                   the latest run

      voltx status --watch                           follow it

      voltx status --timeline                        which machine did what, and when

      voltx status --json | jq '.[] | select(.state=="failed") | .why'
    """
    from voltx_core.stages.runs import RunRecord, latest
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open(store)
    run_id = run or latest(workspace.artifacts)
    if run and RunRecord(workspace.artifacts, run).read() is None:
        raise ConfigError(f"There is no run {run!r} in {workspace.url}. Without an id: the latest.")
    if as_json:
        print(json.dumps(_rows(workspace, run_id), indent=1))
    elif run_id is None:
        console().print(f"No run in {workspace.url} yet. Start one: [b]voltx run --watch[/]")
    elif timeline:
        _show_timeline(workspace, run_id)
    elif watch:
        _follow(workspace, run_id)
    else:
        _show(workspace, run_id)


def _rows(workspace: "Workspace", run_id: str | None) -> list[dict[str, Any]]:
    from voltx_core.stages.runs import RunRecord

    return RunRecord(workspace.artifacts, run_id).rows() if run_id else []


def _show(workspace: "Workspace", run_id: str) -> None:
    from voltx_core.cli.watch import ended, table

    out = console()
    out.print(f"Run [bold]{run_id}[/], store {workspace.url}\n")
    out.print(table(_rows(workspace, run_id), now=None))
    out.print(f"\n{_cost(workspace, run_id)}")
    outcome = ended(workspace, run_id)
    if outcome is None:
        out.print(f"\nIt has not ended. Follow it: [b]voltx status {run_id} --watch[/]")
    else:
        why = f": {outcome['why']}" if outcome.get("why") else ""
        out.print(f"\nEnded: {outcome['state']}{why}. Next: [b]voltx report {run_id}[/]")


def _cost(workspace: "Workspace", run_id: str) -> str:
    """What the run has cost so far, and what it may cost."""
    from voltx_core.config.machine import CostConfig
    from voltx_core.report.formatting import money
    from voltx_core.stages.runs import RunRecord
    from voltx_core.stages.spending import spent

    record = RunRecord(workspace.artifacts, run_id)
    cost = CostConfig.model_validate(((record.read() or {}).get("config") or {}).get("cost") or {})
    account = spent(record, cost)
    of = "" if cost.budget_usd is None else f" of {money(cost.budget_usd)}"
    return f"Cost so far: {money(account.paid_usd)}{of}, {money(account.idle_usd)} of it idle."


def _show_timeline(workspace: "Workspace", run_id: str) -> None:
    from voltx_core.report.timeline import render
    from voltx_core.stages import graph
    from voltx_core.stages.runs import RunRecord

    titles = {name: (spec.number, spec.title) for name, spec in graph.specs().items()}
    run = RunRecord(workspace.artifacts, run_id).read()
    if run is not None:
        print(f"Run {run_id}\n\n{render(run, titles)}", end="")


def _follow(workspace: "Workspace", run_id: str) -> None:
    from voltx_core.cli.summary import show_summary
    from voltx_core.cli.watch import ended, watch

    try:
        outcome = watch(
            lambda: _rows(workspace, run_id), lambda: ended(workspace, run_id), console=console()
        )
    except KeyboardInterrupt:
        console().print("\nLeft the run alone; it goes on.")
        return
    show_summary(workspace, run_id, console())
    if outcome["state"] != "completed":
        raise typer.Exit(1)
