"""``voltx plan``: what a run would do, before anything is spent."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.cli.options import (
    AsJson,
    Only,
    Overrides,
    Preset,
    StoreUrl,
    Until,
    console,
    explained,
)

if TYPE_CHECKING:
    from voltx_core.config import VoltxConfig
    from voltx_core.stages.workspace import Workspace

WIDE = 120
"""Columns of a terminal that the whole table fits into."""


@explained()
def plan(
    preset: Preset = "laptop",
    overrides: Overrides = [],  # noqa: B006 (typer copies it)
    only: Only = [],  # noqa: B006
    until: Until = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show, stage by stage, what would be reused, what would run, and why.

    A stage is reused when the store holds a result of the same settings, inputs and version.
    Nothing is run and nothing is written.

    Times come from the nearest earlier result of the stage in this store, else from a record of
    another machine and two short measurements of this one; where neither is comparable, they are
    unknown. Money is time at cost.rates_usd_per_hour of what this machine is (cpu, gpu or
    multi-gpu), of several machines at that of the pools. The report of a run sets what it took
    beside its plan.

    Examples:

      voltx plan                                what a run would do

      voltx plan --set alignment.e2e.steps=48   which stages one change costs

      voltx plan --preset tiny --until 2.1      only up to the soft core

      voltx plan --set cost.rates_usd_per_hour.gpu=1.9 --set cost.budget_usd=20

      voltx plan --json | jq '.[] | select(.state == "run") | .name'
    """
    from voltx_core.config import resolve
    from voltx_core.stages.workspace import Workspace

    config = resolve(preset, overrides)
    workspace = Workspace.open(store)
    rows = rows_of(config, workspace, only=only, until=until)
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        _show(rows, workspace.url, config, _command(preset, overrides, only, until, store))


def rows_of(
    config: "VoltxConfig",
    workspace: "Workspace",
    *,
    only: Sequence[str] = (),
    until: str | None = None,
) -> list[dict[str, Any]]:
    """The plan as JSON-ready rows in graph order.

    Each has ``number``, ``name``, ``title``, ``pool``, ``state`` (reuse or run), ``why``,
    ``fingerprint`` (None while an input does not exist), ``notes``, ``needs`` (stages), and of
    its estimate (None: unknown) ``estimated_s``, ``estimated_low_s``, ``estimated_high_s``,
    ``estimated_bytes``, ``estimated_cost_usd`` and ``estimate_basis``.

    Raises:
        ConfigError: A stage of ``only`` or ``until`` does not exist.
        StoreError: The store cannot be read.
    """
    from voltx_core.stages import graph, planning
    from voltx_core.stages.estimates import estimate

    stages = graph.select(only, until)
    decided = planning.plan(config, workspace.artifacts, stages=stages)
    return [
        {
            **planned.row(),
            "needs": list(graph.parents(name)),
            **estimate(planned, config, workspace).row(),
        }
        for name, planned in decided.items()
    ]


def _show(rows: Sequence[Mapping[str, Any]], url: str, config: "VoltxConfig", command: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from voltx_core.report.formatting import duration, money, size

    out = console()
    wide = out.width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", "stage", "state", "pool"):
        table.add_column(name, no_wrap=True)
    for name in ("time", "range", "disk", "cost") if wide else ("time", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", ratio=1)
    for row in rows:
        reused = row["state"] == "reuse"
        why = Text(row["why"])
        for note in row["notes"]:
            why.append(f"\n! {note}", style="yellow")
        more = (_range(row), size(row["estimated_bytes"], missing="")) if wide else ()
        expected = (
            duration(row["estimated_s"], missing="unknown"),
            *more,
            money(row["estimated_cost_usd"], missing=""),
        )
        table.add_row(
            row["number"],
            row["title"],
            Text(row["state"], style="green" if reused else "bold yellow"),
            row["pool"],
            *(("",) * len(expected) if reused else expected),
            why,
        )
    out.print(f"Preset [bold]{config.preset}[/], store {url}\n")
    out.print(table)
    out.print()
    if not wide:
        out.print(f"[dim]Ranges and disk are shown from {WIDE} columns on, and by --json.[/]\n")
    out.print(_total(rows))
    for line in _bill(rows, config):
        out.print(line, soft_wrap=True)
    out.print(f"Next: [bold]{command}[/]", soft_wrap=True)


def _range(row: Mapping[str, Any]) -> str:
    from voltx_core.report.formatting import duration

    if row["estimated_low_s"] is None:
        return ""
    return f"{duration(row['estimated_low_s'])} – {duration(row['estimated_high_s'])}"


def _total(rows: Sequence[Mapping[str, Any]]) -> str:
    running = [row for row in rows if row["state"] == "run"]
    if not running:
        return f"Everything is committed: all {len(rows)} stages would be reused."
    unknown = sum(row["estimated_s"] is None for row in running)
    without = f"; {unknown} never measured at this size" if unknown else ""
    return f"{len(running)} of {len(rows)} stages would run{without}."


def _bill(rows: Sequence[Mapping[str, Any]], config: "VoltxConfig") -> Iterator[str]:
    """Time, money and disk of all that would run: one by one, as it is here, and spread out."""
    import os

    from voltx_core.report.formatting import duration, money, size
    from voltx_core.stages.estimates import makespan_s
    from voltx_core.stages.machine import kind
    from voltx_core.stages.preflight import DISK_MIB

    known = [r for r in rows if r["state"] == "run" and r["estimated_s"] is not None]
    if not known:
        return
    least = "" if len(known) == sum(r["state"] == "run" for r in rows) else "at least "
    rate, slots = config.cost.rates_usd_per_hour.get(kind(), 0.0), os.cpu_count() or 1
    here_s, serial_s = makespan_s(rows, slots), sum(r["estimated_s"] for r in known)
    # Each machine is paid for while its stage works, at the price of the pool that it serves.
    apart_usd = sum(
        r["estimated_s"] / 3600 * config.cost.rates_usd_per_hour.get(r["pool"], 0.0) for r in known
    )
    chain = ", along the longest chain of stages, priced by pool"
    for title, seconds, usd, more in (
        ("One after the other", serial_s, serial_s / 3600 * rate, ""),
        (
            f"{slots} at once, here",
            here_s,
            here_s / 3600 * rate,
            f", {kind()} at {money(rate)} an hour",
        ),
        ("A machine for each", makespan_s(rows), apart_usd, chain),
    ):
        yield f"  {title:<20} {least}{duration(seconds)}, {money(usd)}{more}"
    made, work = sum(r["estimated_bytes"] for r in known), DISK_MIB[config.preset] * 2**20
    yield f"  {'Disk':<20} {least}{size(made)} of results; {size(work)} free where stages work"
    budget, cost = config.cost.budget_usd, here_s / 3600 * rate
    if budget is not None:
        fits = "which should do" if cost <= budget else "[yellow]which will stop it[/]"
        yield f"  {'Budget':<20} {money(budget)}, {fits}"


def _command(
    preset: str, overrides: Sequence[str], only: Sequence[str], until: str | None, store: str | None
) -> str:
    import shlex

    from voltx_core.config.vincigpt import NAME_OF
    from voltx_core.stages import graph

    settings = [word for text in overrides for word in ("--set", text)]
    settings += ["--store", store] if store else []
    if not set(graph.ASIDE).isdisjoint(graph.select(only, until)):
        size = NAME_OF.get(preset, preset)
        return shlex.join(["voltx", "vincigpt", "train", "--preset", size, *settings])
    words = ["voltx", "run", "--preset", preset, *settings]
    words += [word for text in only for word in ("--only", text)]
    words += ["--until", until] if until else []
    return shlex.join([*words, "--watch"])
