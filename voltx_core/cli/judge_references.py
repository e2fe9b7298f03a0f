"""Verifying published sets from the command line: their references through the judge."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.cli.countdown import countdown
from voltx_core.cli.judge_samples import Settings
from voltx_core.cli.options import console

if TYPE_CHECKING:
    from voltx_core.data.suites import ProblemSet

NAMED = 12
"""Rows of one kind that the terminal names; the JSON names all."""
DETAIL = 110


def judge_references(
    sets: "Sequence[ProblemSet]", settings: Settings, *, at_most: int | None
) -> dict[str, Any]:
    """Run the references of every set and return what was found, as JSON data."""
    from voltx_core.evaluation.references import check_references
    from voltx_core.judge import Judge

    checks = []
    with Judge(workers=settings.workers, level=settings.level) as judge:
        for problems in sets:
            with countdown(problems.name) as show:
                check = check_references(
                    problems, judge, limits=settings.limits, at_most=at_most, on_progress=show
                )
            checks.append(check.as_json())
        return {"level": judge.level, "at_most": at_most, "suites": checks}


def show_references(found: Mapping[str, Any]) -> None:
    """A row a suite, then the rows that are not simply right, by name."""
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("suite")
    for name in ("tasks", "tried", "no reference", "run", "passed", "split", "not run", "broken"):
        table.add_column(name, justify="right")
    for check in found["suites"]:
        cells = (
            check["tasks"],
            check["tried"],
            check["without_reference"],
            check["run"],
            check["passed"],
            check["split"],
            len(check["not_run"]),
            len(check["broken"]),
        )
        table.add_row(check["suite"], *("-" if cell is None else str(cell) for cell in cells))
    out.print(table)
    out.print(f"\nisolation: {found['level']}; split: tests ran apart from the program they test")
    for check in found["suites"]:
        _show_rows(check["suite"], "broken", check["broken"])
        _show_rows(check["suite"], "wrong solution, others pass", check["wrong_solutions"])
        _show_rows(check["suite"], "passes only beside its tests", check["beside"])
        _show_not_run(check["suite"], check["not_run"])


def _show_rows(suite: str, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    out = console()
    if rows:
        out.print(f"\n[bold]{suite}[/]: {title}", soft_wrap=True)
    for row in rows[:NAMED]:
        number = f" solution {row['solution']}" if row["solution"] else ""
        why = " ".join((row["fault"] or row["why"]).split())
        out.print(f"  {row['id']}{number}: {why[:DETAIL]}", soft_wrap=True, markup=False)
    if len(rows) > NAMED:
        names = ", ".join(row["id"].rpartition("/")[2] for row in rows[NAMED:])
        out.print(f"  and {len(rows) - NAMED} more: {names}", soft_wrap=True, markup=False)


def _show_not_run(suite: str, rows: Sequence[Mapping[str, Any]]) -> None:
    out = console()
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reasons.setdefault(row["why"], []).append(row["id"])
    for why, names in reasons.items():
        shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        out.print(f"\n[bold]{suite}[/]: not run, {len(names)} rows ({shown})", soft_wrap=True)
        out.print(f"  {' '.join(why.split())}", soft_wrap=True, markup=False)
