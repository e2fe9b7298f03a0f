"""What to say when a run has ended: its time, where it went, and where the report is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.stages.workspace import Workspace


def show_summary(workspace: "Workspace", run_id: str, console: "Console") -> None:
    """Print how a run ended: time per stage, wall time, report."""
    from voltx_core.cli.watch import ended, table
    from voltx_core.report.formatting import duration, money, share
    from voltx_core.report.report_card import read_card
    from voltx_core.stages.runs import RunRecord

    outcome = ended(workspace, run_id) or {}
    if not console.is_terminal:  # a terminal shows the last state of the live table already
        console.print()
        console.print(table(RunRecord(workspace.artifacts, run_id).rows(), now=None))
    card = read_card(run_id, workspace)
    time = card.time
    console.print(
        f"\nRun [bold]{run_id}[/] {outcome.get('state', 'goes on')} in {duration(time.wall_s)}; "
        f"{share(time.other_share)} of that was not stage work "
        f"(starting processes, scheduling, the report)."
    )
    if card.account.machines:
        paid, idle = card.account.paid_usd, card.account.idle_usd
        console.print(
            f"It cost {money(paid)} at cost.rates_usd_per_hour, {money(idle)} of it idle."
        )
    if outcome.get("why"):
        console.print(outcome["why"], markup=False, soft_wrap=True)
    if outcome.get("report"):
        console.print(f"Report  {outcome['report']}/report.html", soft_wrap=True)
