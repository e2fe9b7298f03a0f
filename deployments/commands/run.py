"""`voltx run`: the whole graph, from one command."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import (
    Only,
    Overrides,
    Preset,
    StoreUrl,
    Until,
    console,
    explained,
)

if TYPE_CHECKING:
    from rich.console import Console

    from deployments.local import Up
    from voltx_core.stages.planning import Planned

Force = Annotated[
    list[str],
    typer.Option(
        "--force",
        metavar="STAGE",
        help="Do the work of this stage (name or number) even though a result exists. "
        "May be repeated.",
    ),
]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Stay, and show the stages until the run has ended.")
]
DETACHED = 130
"""Exit code after Ctrl-C, as shells have it."""


@explained()
def run(
    preset: Preset = "laptop",
    overrides: Overrides = [],  # noqa: B006 (typer copies it)
    only: Only = [],  # noqa: B006
    until: Until = None,
    force: Force = [],  # noqa: B006
    store: StoreUrl = None,
    watch: Watch = False,
) -> None:
    """Train the graph: every stage that is not done yet, each in its own process.

    Starts server and workers when they are not up, and leaves them up, so that the UI stays and
    the next run begins at once; `voltx down` stops them. Ctrl-C leaves the run going.

    The exit code is 0 only when the run has completed (with --watch) or was accepted (without).

    Examples:

      voltx run --watch                              the embedded data, about 15 minutes

      voltx run --set soft_core.steps=900 --watch    one change; the rest is reused

      voltx run --until soft_core                    stop after a stage

      voltx run --force translator                   do a stage again
    """
    from voltx_core.config import lookup, resolve
    from voltx_core.stages import graph
    from voltx_core.stages.planning import plan
    from voltx_core.stages.workspace import Workspace

    began = time.monotonic()
    config = resolve(preset, overrides)
    stages = graph.select(only, until)
    graph.refuse_aside([*only, *([until] if until else []), *force])
    parameters: dict[str, Any] = {
        "preset": preset,
        "overrides": {key: lookup(config, key) for key in _keys(overrides)},
        "only": list(only) or None,
        "until": until,
        "force": [graph.named(text) for text in force] or None,
    }
    if store is not None:
        os.environ["VOLTX_STORE"] = store
    # Refuses inputs that are not there.
    planned = plan(config, Workspace.open().artifacts, stages=stages)

    from deployments.client import connect, start_run, unserved
    from deployments.local import bring_up

    out = console()
    services = bring_up(out.print)
    with connect(services.api_url) as client:
        started = start_run(client, "voltx/full", parameters)
        waits = unserved(client, _elsewhere(services.running.wanted.pools, planned))
    out.print(f"Run     [bold]{started.name}[/], preset {preset}", soft_wrap=True)
    out.print(f"UI      {services.ui_url}/runs/flow-run/{started.id}\n", soft_wrap=True)
    for pool in waits:
        out.print(
            f"[yellow]No worker serves {pool}[/]; stages that go there wait until one joins: "
            f"[b]voltx worker --pool {pool.removeprefix('voltx-')} --server {services.ui_url}[/]\n",
            soft_wrap=True,
        )
    if not watch:
        _still_up(services, out)
        out.print("Next: [b]voltx status --watch[/]")
        return
    try:
        completed = _watch(services, started.id, started.name, out)
    except KeyboardInterrupt:
        out.print(
            f"\nLeft the run; it goes on. Back to it: [b]voltx status {started.name} --watch[/]",
            soft_wrap=True,
        )
        _still_up(services, out)
        raise typer.Exit(DETACHED) from None
    out.print(f"UI      {services.ui_url}/runs/flow-run/{started.id}", soft_wrap=True)
    out.print(f"`voltx run` took {time.monotonic() - began:.0f} s from start to end.")
    _still_up(services, out)
    if not completed:
        raise typer.Exit(1)


def _keys(overrides: list[str]) -> list[str]:
    return [text.partition("=")[0].strip() for text in overrides]


def _elsewhere(here: tuple[str, ...], planned: "Mapping[str, Planned]") -> list[str]:
    """Pools that stages of a plan go to and that this machine, serving those here, does not."""
    from deployments.pools import pool_of, served

    if here == served("one"):
        return []
    wanted = {pool_of(p.spec.pool, "several") for p in planned.values() if p.state == "run"}
    return sorted(wanted - set(here))


def _watch(services: "Up", flow_run_id: Any, run_id: str, out: "Console") -> bool:
    """Show the run to its end; whether it completed."""
    from deployments.client import connect, final_state
    from voltx_core.cli.summary import show_summary
    from voltx_core.cli.watch import ended, watch
    from voltx_core.stages.runs import RunRecord
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open()
    record = RunRecord(workspace.artifacts, run_id)
    with connect(services.api_url) as client:
        outcome = watch(
            record.rows,
            # The store knows the end as well, when `voltx down` took the server along.
            lambda: final_state(client, flow_run_id) or ended(workspace, run_id),
            console=out,
        )
    if record.read() is None:  # it failed before it could begin
        out.print(f"The run did not begin: {outcome['why']}", markup=False, soft_wrap=True)
        return False
    show_summary(workspace, run_id, out)
    return bool(outcome["state"] == "completed")


def _still_up(services: "Up", out: "Console") -> None:
    names = ", ".join(f"{n} (pid {i.pid})" for n, i in services.running.alive().items())
    out.print(f"Still up: {names}. Stop them: [b]voltx down[/]", soft_wrap=True)
