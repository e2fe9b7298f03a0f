"""`voltx bench chaos`: kill processes of a run at random and compare what it made.

The tiny graph runs twice. Once undisturbed, with a local store; once with an S3 store that fails
now and then, while a stage, a worker, the parent flow, the Prefect server or a whole machine is
killed with -9 again and again. Every artifact of the second run must have the bytes of the first.
The seed decides the kinds, the pauses and the faults; which stage is hit depends on how quick the
machine is.
"""

import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deployments.arena import arena
from deployments.aside import aside, environment
from deployments.strikes import KINDS, Kill, Striker
from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import StoreError
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

PAUSE_S = (0.5, 5.0)
"""Bounds of the time between a recovery and the next kill."""
FAULT_RATE = 0.02
"""Share of the requests to the store that are spoiled."""
LOOK_S = 0.1
SETTINGS = {"compute.threads_alone": 1}
"""Threads that wait for each other are no part of this, and slow on a machine with other work."""
CORRUPT = "corrupt in the store"

Digests = dict[str, dict[str, str]]
"""Stage -> artifact -> sha256."""

Kills = Annotated[int, typer.Option("--kills", min=1, help="Processes and machines to kill.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides what is killed and when.")]
Wait = Annotated[float, typer.Option("--timeout", min=1, help="Most seconds for one graph.")]


@explained()
def chaos(
    kills: Kills = 25, seed: Seed = 1, timeout_s: Wait = 3600.0, as_json: AsJson = False
) -> None:
    """Kill random processes of a run, and compare every artifact with an undisturbed run's.

    Starts servers, workers and an S3 store of its own in temporary folders, and removes them.
    """
    out = console(stderr=as_json)
    out.print("The tiny graph, undisturbed...")
    expected = _undisturbed(timeout_s)
    out.print(
        f"The tiny graph, with {kills} kills and {FAULT_RATE:.0%} of the requests to its store "
        f"spoiled (seed {seed})..."
    )
    disturbed = _disturbed(kills, seed, timeout_s, out)
    different = _different(disturbed, expected)
    figures = _figures(disturbed, expected, different)
    _show(out, disturbed, figures, different)
    if as_json:
        samples = {
            "kills": [_record(kill) for kill in disturbed.kills],
            "store_faults": disturbed.faults,
            "store_requests": disturbed.requests,
            "interval_s": disturbed.interval_s,
            "runs": len(disturbed.digests),
        }
        print(
            json.dumps(
                {
                    "bench": "chaos",
                    "figures": figures,
                    "samples": samples,
                    "different": different,
                    "environment": environment(),
                    "why": {
                        "restart_s_machine": "the lost machine shares this kernel, which tells at "
                        "once that its processes are gone; one elsewhere falls silent first"
                    },
                    "seed": seed,
                }
            )
        )


@dataclass(frozen=True, slots=True)
class Disturbed:
    """What came of the graph under fire."""

    kills: list[Kill]
    digests: list[Digests]
    """What each run made."""
    faults: dict[str, int]
    """Injected, by kind."""
    requests: int
    """That the store received."""
    interval_s: float
    """Between two checkpoints."""


def _undisturbed(timeout_s: float) -> Digests:
    with aside() as there:
        run, _ = there.start(overrides=SETTINGS)
        there.complete(run, timeout_s=timeout_s)
        return _digests(there.workspace)


def _disturbed(kills: int, seed: int, timeout_s: float, out: Console) -> Disturbed:
    """Run the graph under fire."""
    made: list[Kill] = []
    draw = random.Random(seed)
    with arena(seed, FAULT_RATE) as there:
        interval_s, digests = 0.0, []
        while len(made) < kills:  # a run that ends early is followed by a forced one
            force = list(graph.select()) if digests else []
            run, run_id = there.graph.start(overrides=SETTINGS, force=force)
            striker = Striker(there, run, run_id)
            while len(made) < kills and not striker.ended():
                _pause(draw.uniform(*PAUSE_S), striker)
                kill = striker.strike(draw)
                if kill is not None:
                    made.append(kill)
                    out.print(_line(len(made), kill))
            there.graph.complete(run, timeout_s=timeout_s)
            record = RunRecord(there.graph.workspace.artifacts, run_id).read()
            assert record is not None
            interval_s = record["config"]["checkpoint"]["interval_s"]
            digests.append(_digests(there.graph.workspace))
        return Disturbed(
            made,
            digests,
            {str(fault): count for fault, count in sorted(there.proxy.injected.items())},
            len(there.proxy.requests),
            interval_s,
        )


def _pause(seconds: float, striker: Striker) -> None:
    """Sleep, at most until the run ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not striker.ended():
        time.sleep(LOOK_S)


def _digests(workspace: Workspace) -> Digests:
    """Of everything the newest manifest of each stage promises, read back and verified."""
    found: Digests = {}
    for name in graph.select():
        for manifest in workspace.artifacts.manifests(name)[:1]:
            found[name] = {}
            for artifact, entry in manifest.artifacts.items():
                try:
                    workspace.artifacts.fetch(manifest, artifact)
                except StoreError:
                    found[name][artifact] = CORRUPT
                else:
                    found[name][artifact] = entry.sha256 or ""
    return found


def _different(disturbed: Disturbed, expected: Digests) -> list[str]:
    """Artifacts of any run under fire that are not those of the undisturbed run."""
    return [
        f"{stage}/{name} of run {number}"
        for number, found in enumerate(disturbed.digests, 1)
        for stage, digests in expected.items()
        for name, digest in digests.items()
        if found.get(stage, {}).get(name) != digest
    ]


def _figures(disturbed: Disturbed, expected: Digests, different: Sequence[str]) -> dict[str, Any]:
    made = disturbed.kills
    lost = [kill.lost_s / disturbed.interval_s for kill in made if kill.lost_s is not None]
    return {
        "kills": len(made),
        "artifacts": sum(len(digests) for digests in expected.values()),
        "artifacts_different": len(different),
        "max_lost_intervals": max(lost, default=None),
        **{f"restart_s_{kind}": _median(made, kind) for kind in KINDS},
        "store_faults": sum(disturbed.faults.values()),
    }


def _median(made: Sequence[Kill], kind: str) -> float | None:
    took = [kill.restart_s for kill in made if kill.kind == kind and kill.restart_s is not None]
    return statistics.median(took) if took else None


def _record(kill: Kill) -> dict[str, Any]:
    return {name: getattr(kill, name) for name in Kill.__slots__}


def _line(number: int, kill: Kill) -> str:
    what = f"{kill.kind} ({kill.stage})" if kill.stage else kill.kind
    lost = f", {kill.lost_s:.1f} s of work lost" if kill.lost_s is not None else ""
    back = (
        f"back after {kill.restart_s:.1f} s" if kill.restart_s is not None else "not needed again"
    )
    return f"{number:4}  {kill.at_s:6.1f} s  {what}: {back}{lost}"


def _show(
    out: Console, disturbed: Disturbed, figures: dict[str, Any], different: Sequence[str]
) -> None:
    made = disturbed.kills
    table = Table("killed", "times", "restart, median s", "work lost, most s", box=None)
    for kind in KINDS:
        of_kind = [kill for kill in made if kill.kind == kind]
        median = _median(made, kind)
        lost = max((kill.lost_s for kill in of_kind if kill.lost_s is not None), default=None)
        table.add_row(
            kind,
            str(len(of_kind)),
            "" if median is None else f"{median:.1f}",
            "" if lost is None else f"{lost:.1f}",
        )
    out.print(table)
    kinds = ", ".join(f"{count} {kind}" for kind, count in disturbed.faults.items())
    out.print(
        f"{figures['store_faults']} faults in {disturbed.requests:,} requests to the store: {kinds}"
    )
    out.print(
        f"{figures['artifacts']} artifacts, {figures['artifacts_different']} different"
        + (f": {', '.join(different)}" if different else "")
    )
