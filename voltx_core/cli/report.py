"""``voltx report``: what a run found, on the terminal and as files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained

if TYPE_CHECKING:
    from voltx_core.stages.workspace import Workspace

Run = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Id of the run; default: the latest one.")
]
Folder = Annotated[
    Path,
    typer.Option("--folder", help="Reports are written to FOLDER/<run id>/.", metavar="FOLDER"),
]


@explained()
def report(
    run: Run = None,
    folder: Folder = Path("runs"),
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write the report card of a run anew and print its summary.

    The report is gathered from the store, so any machine that reaches the
    store can write it, at any moment of the run: what is not measured yet
    says so.

    Examples:

      voltx report                          the latest run

      voltx report 20260102-150405          a run by its id

      voltx report --json | jq .headline    for programs

      xdg-open runs/latest/report.html      all tables, curves and figures
    """
    from voltx_core.errors import StageError
    from voltx_core.report.report_card import write_report
    from voltx_core.stages.runs import latest
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open(store)
    run_id = run or latest(workspace.artifacts)
    if run_id is None:
        raise StageError(f"{workspace.url} has no run to report on. Start one: voltx run --watch.")
    home = write_report(run_id, workspace, folder=folder)
    if as_json:
        print((home / "report.json").read_text(), end="")
    else:
        _show(run_id, workspace, home)


def _show(run_id: str, workspace: "Workspace", home: Path) -> None:
    from rich.markdown import Markdown

    from voltx_core.report.markdown import summary
    from voltx_core.report.report_card import read_card

    out = console()
    out.print(Markdown(summary(read_card(run_id, workspace))))
    out.print()
    for name in ("report.html", "report.md", "report.json"):
        out.print(f"{home.absolute() / name}", soft_wrap=True)
    out.print(f"and in the store: {workspace.url}/runs/{run_id}/", soft_wrap=True)
