"""`voltx bench judge --attacks`: hostile programs against every level, as every user at hand.

As root it also runs them as an ordinary user; and against a weak judge, which shows that the
attacks are real.
"""

import json
import os
import platform
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from voltx_core.cli.options import console
from voltx_core.judge.attacks import CATALOGUE, SIGNS, AttackReport, run_attacks

if TYPE_CHECKING:
    from rich.console import Console

LEVELS = ("ns", "uid", "seccomp")
_NOBODY = 65534
_CONTROL = "bare"
_CONTROL_GROUPS = ("network", "reading", "writing", "escape", "forging")


def attacks(level: str, *, as_json: bool) -> None:
    """Run the attacks, print what succeeded, and with ``as_json`` one line of figures last.

    Args:
        level: ``ns``, ``uid``, ``seccomp`` or ``all``.
        as_json: print the figures as JSON on stdout, the rest on stderr.
    """
    out = console(stderr=as_json)
    levels = LEVELS if level == "all" else (level,)
    users = (None, _NOBODY) if os.geteuid() == 0 else (None,)
    reports = []
    for one in levels:
        for uid in users:
            if one == "uid" and uid is not None:
                reports.append(_impossible(one, uid))
                continue
            who = "" if uid is None else f" as uid {uid}"
            out.print(f"{len(CATALOGUE)} attacks at level {one}{who}", highlight=False)
            reports.append(run_attacks(one, uid=uid))
    # Most attacks on time and resources bound themselves only where something ends them.
    real = [a.name for a in CATALOGUE.values() if a.group in _CONTROL_GROUPS]
    out.print(f"{len(real)} of them at a weak judge, for control", highlight=False)
    control = run_attacks(_CONTROL, names=real, slack_s=1.0)
    _print(out, [*reports, control])
    if as_json:
        figures, why = figures_of(reports, control)
        report = {
            "bench": "judge",
            "figures": figures,
            "samples": {_title(one): _outcomes(one) for one in (*reports, control)},
            "environment": {"python": platform.python_version(), "kernel": platform.release()},
            "why": why,
        }
        print(json.dumps(report))


def figures_of(
    reports: Iterable[AttackReport], control: AttackReport
) -> tuple[dict[str, int | None], dict[str, str]]:
    """``attacks_run_LEVEL_USER`` and ``attacks_succeeded_LEVEL_USER``, USER being root or user.

    Without a user: both users together; without a level as well: all levels together.

    Returns:
        The figures, and why each of those that are None is.
    """
    figures: dict[str, int | None] = {}
    why: dict[str, str] = {}
    reports = list(reports)
    for report in (*reports, control):
        user = "root" if report.user == "root" else "user"
        for name in ("attacks_run", "attacks_succeeded"):
            key = f"{name}_{report.level}_{user}"
            figures[key] = getattr(report, name)
            if report.why:
                why[key] = report.why
    for level in dict.fromkeys(report.level for report in reports):
        for name in ("attacks_run", "attacks_succeeded"):
            ran = [r for r in reports if r.level == level and not r.why]
            figures[f"{name}_{level}"] = sum(getattr(r, name) for r in ran) if ran else None
            if not ran:
                why[f"{name}_{level}"] = next(r.why for r in reports if r.level == level)
    ran = [r for r in reports if not r.why]
    for name in ("attacks_run", "attacks_succeeded"):
        figures[name] = sum(getattr(r, name) for r in ran) if ran else None
        if not ran:
            why[name] = "no level works here"
    figures["attacks"] = len(CATALOGUE)
    return figures, why


def _impossible(level: str, uid: int) -> AttackReport:
    return AttackReport(level=level, user=f"uid {uid}", why="this level needs root")


def _title(report: AttackReport) -> str:
    return f"{report.level}, {report.user}"


def _outcomes(report: AttackReport) -> dict[str, Any]:
    return {
        "walls": report.walls,
        "groups": report.by_group(),
        "succeeded": {one.name: one.signs for one in report.succeeded},
        "not_run": {one.name: one.not_run for one in report.findings if one.not_run},
    }


def _print(out: "Console", reports: Iterable[AttackReport]) -> None:
    from rich.table import Table

    table = Table("level", "user", "attacks", "succeeded", "held also by")
    for report in reports:
        if report.why:
            table.add_row(report.level, report.user, "-", "not run", report.why)
            continue
        won = str(report.attacks_succeeded)
        expected = report.level == _CONTROL
        won = won if expected or won == "0" else f"[red]{won}[/]"
        table.add_row(report.level, report.user, str(report.attacks_run), won, report.walls)
    out.print(table)
    for report in reports:
        for one in () if report.level == _CONTROL else report.succeeded:
            signs = "; ".join(SIGNS[sign] for sign in one.signs)
            out.print(f"{_title(report)}: {one.group}: {one.name}: {signs}", markup=False)
