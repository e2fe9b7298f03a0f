"""`voltx bench overhead`: how much of a run is not stage work.

``noop_graph_s`` is measured here: the whole graph through real processes, every stage doing
nothing. ``laptop_wall_s`` and ``laptop_overhead_share`` are read from the newest complete run of
the laptop preset in the store; without one they are null, and ``why`` says so.
"""

import json
import statistics
import time
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained

if TYPE_CHECKING:
    from voltx_core.report.content import WallTime
    from voltx_core.stages.workspace import Workspace

Repeat = Annotated[
    int, typer.Option("--repeat", min=1, help="How often the empty graph is run; median counts.")
]
Wait = Annotated[float, typer.Option("--timeout", min=1, help="Most seconds for one graph.")]


@explained()
def overhead(
    repeat: Repeat = 1,
    timeout_s: Wait = 600.0,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Measure the share of a run that is not stage work.

    Starts a server and workers of its own in a temporary folder, and removes them.
    """
    from deployments.aside import environment
    from voltx_core.stages.workspace import Workspace

    out = console(stderr=as_json)
    samples = _empty_graphs(repeat, timeout_s)
    run_id, time_of, why = newest_laptop_run(Workspace.open(store))
    figures = {
        "noop_graph_s": statistics.median(samples),
        "laptop_wall_s": time_of.wall_s if time_of else None,
        "laptop_overhead_share": time_of.other_share if time_of else None,
    }
    out.print(f"Empty graph      {figures['noop_graph_s']:.1f} s, {len(samples)} runs")
    if time_of is None:
        out.print(f"Laptop preset    not measured: {why}")
    else:
        out.print(f"Laptop preset    {time_of.wall_s:.0f} s, run {run_id}")
        out.print(f"Not stage work   {time_of.other_share:.1%}")
    if as_json:
        print(
            json.dumps(
                {
                    "bench": "overhead",
                    "figures": figures,
                    "samples": {"noop_graph_s": samples},
                    "environment": environment(),
                    "why": {"laptop_wall_s": why, "laptop_overhead_share": why} if why else {},
                    "laptop_run": run_id,
                }
            )
        )


def newest_laptop_run(
    workspace: "Workspace",
) -> "tuple[str | None, WallTime | None, str | None]":
    """Id and wall time of the newest complete laptop run that did all its work itself.

    Returns:
        (run id, time, None), or (None, None, why there is none).
    """
    from voltx_core.report.report_card import read_card
    from voltx_core.stages import graph
    from voltx_core.stages.runs import history

    found = (
        workspace.artifacts.get_json(f"runs/{name}.json") for name in history(workspace.artifacts)
    )
    records = [record for record in found if record]
    for record in records:
        if record["config"]["preset"] != "laptop" or len(record["stages"]) < len(graph.select()):
            continue
        card = read_card(record["run_id"], workspace)
        if all(stage.state == "committed" for stage in card.stages) and card.time.wall_s:
            return record["run_id"], card.time, None
    return None, None, f"{workspace.url} has no laptop run that did every stage: voltx run --watch"


def _empty_graphs(repeat: int, timeout_s: float) -> list[float]:
    """Seconds from asking for a run to its end, for graphs whose stages do nothing."""
    from deployments.aside import aside

    samples = []
    with aside() as there:
        for _ in range(repeat):
            began = time.monotonic()
            run, _ = there.start(rehearse_s=0.0)
            there.complete(run, timeout_s=timeout_s)
            samples.append(time.monotonic() - began)
    return samples
