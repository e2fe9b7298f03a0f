"""``voltx plan``: what a run would do, before anything is spent."""

import json
from collections.abc import Mapping, Sequence
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

    A stage is reused when the store holds a result of the same settings,
    inputs and version. Nothing is run and nothing is written.

    Examples:

      voltx plan                                what a run would do

      voltx plan --set alignment.e2e.steps=48   which stages one change costs

      voltx plan --preset tiny --until 2.1      only up to the soft core

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
        _show(rows, workspace.url, config.preset, _command(preset, overrides, only, until, store))


def rows_of(
    config: "VoltxConfig",
    workspace: "Workspace",
    *,
    only: Sequence[str] = (),
    until: str | None = None,
) -> list[dict[str, Any]]:
    """The plan as JSON-ready rows in graph order.

    Each has ``number``, ``name``, ``title``, ``pool``, ``state`` (reuse or run), ``why``,
    ``fingerprint`` (None while an input does not exist), ``notes``, ``needs`` (stages),
    ``estimated_s``, ``estimate_basis`` and ``estimated_cost_usd`` (None: unknown).

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


def longest_path_s(rows: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of the slowest chain of dependent stages; unknown times count as nothing."""
    ends: dict[str, float] = {}
    for row in rows:
        start = max((ends.get(parent, 0.0) for parent in row["needs"]), default=0.0)
        ends[row["name"]] = start + (row["estimated_s"] or 0.0)
    return max(ends.values(), default=0.0)


def _show(rows: Sequence[Mapping[str, Any]], url: str, preset: str, command: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from voltx_core.report.formatting import duration, money

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", "stage", "state", "pool"):
        table.add_column(name, no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("why", ratio=1)
    for row in rows:
        reused = row["state"] == "reuse"
        why = Text(row["why"])
        for note in row["notes"]:
            why.append(f"\n! {note}", style="yellow")
        table.add_row(
            row["number"],
            row["title"],
            Text(row["state"], style="green" if reused else "bold yellow"),
            row["pool"],
            "" if reused else duration(row["estimated_s"], missing="unknown"),
            "" if reused else money(row["estimated_cost_usd"], missing=""),
            why,
        )
    out = console()
    out.print(f"Preset [bold]{preset}[/], store {url}\n")
    out.print(table)
    out.print()
    out.print(_total(rows))
    out.print(f"Next: [bold]{command}[/]", soft_wrap=True)


def _total(rows: Sequence[Mapping[str, Any]]) -> str:
    from voltx_core.report.formatting import duration, money

    running = [row for row in rows if row["state"] == "run"]
    if not running:
        return f"Everything is committed: all {len(rows)} stages would be reused."
    text = f"{len(running)} of {len(rows)} stages would run"
    known = [row for row in running if row["estimated_s"] is not None]
    if known:
        prefix = "about" if len(known) == len(running) else "at least"
        work = sum(row["estimated_s"] for row in known)
        cost = sum(row["estimated_cost_usd"] or 0.0 for row in known)
        text += (
            f": {prefix} {duration(work)} of stage time ({duration(longest_path_s(rows))} along "
            f"the longest chain of stages, the rest can overlap), {money(cost)}"
        )
    unknown = len(running) - len(known)
    if unknown:
        text += f"; {unknown} never measured at this size"
    return text + "."


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
