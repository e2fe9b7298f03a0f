"""`voltx bench chaos`: kill processes of a run at random and compare what it made.

The tiny graph runs twice. Once undisturbed; once while a stage, its worker, the parent flow or
the Prefect server is killed with -9 again and again. Every artifact of the second run must have
the bytes of the first. The seed decides the kinds and the pauses; which stage is hit depends on
how quick the machine is.
"""

import json
import random
import signal
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deployments.aside import Aside, aside, environment
from deployments.processes import Identity
from deployments.services import Running
from deployments.supervisor import healthy
from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import StageError
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord

KINDS = ("stage", "worker", "flow", "server")
PAUSE_S = (0.5, 5.0)
"""Bounds of the time between a recovery and the next kill."""
RECOVERY_S = 180.0
LOOK_S = 0.1

Digests = dict[str, dict[str, str]]
"""Stage -> artifact -> sha256."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One process that was killed."""

    kind: str
    at_s: float
    """Since the run was asked for."""
    stage: str | None = None
    lost_s: float | None = None
    """Work since the last checkpoint, or since the attempt began when there is none (stages)."""
    restart_s: float | None = None
    """Until its successor ran; None when the run ended before one was needed."""


Kills = Annotated[int, typer.Option("--kills", min=1, help="Processes to kill.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides what is killed and when.")]
Wait = Annotated[float, typer.Option("--timeout", min=1, help="Most seconds for one graph.")]


@explained()
def chaos(
    kills: Kills = 25, seed: Seed = 1, timeout_s: Wait = 3600.0, as_json: AsJson = False
) -> None:
    """Kill random processes of a run, and compare every artifact with an undisturbed run's.

    Starts servers and workers of its own in temporary folders, and removes them.
    """
    out = console(stderr=as_json)
    out.print("The tiny graph, undisturbed...")
    expected = _undisturbed(timeout_s)
    out.print(f"The tiny graph, with {kills} kills (seed {seed})...")
    made, found, interval_s = _disturbed(kills, seed, timeout_s, out)
    different = [
        f"{stage}/{name}"
        for stage, digests in expected.items()
        for name, digest in digests.items()
        if found.get(stage, {}).get(name) != digest
    ]
    figures = _figures(made, expected, different, interval_s)
    _show(out, made, figures, different)
    if as_json:
        print(
            json.dumps(
                {
                    "bench": "chaos",
                    "figures": figures,
                    "samples": {"kills": [_record(kill) for kill in made]},
                    "different": different,
                    "environment": environment(),
                    "why": {"store_faults": "the store of this bench is a local folder"},
                    "seed": seed,
                }
            )
        )


def _undisturbed(timeout_s: float) -> Digests:
    with aside() as there:
        run, _ = there.start()
        there.complete(run, timeout_s=timeout_s)
        return _digests(there)


def _disturbed(
    kills: int, seed: int, timeout_s: float, out: Console
) -> tuple[list[Kill], Digests, float]:
    """Run the graph under fire; what was killed, what the graph made, the checkpoint interval."""
    made: list[Kill] = []
    draw = random.Random(seed)
    with aside() as there:
        interval_s = 0.0
        while not made or len(made) < kills:  # a run that ends early is followed by a forced one
            began = time.monotonic()
            force = list(graph.specs()) if made else []
            run, run_id = there.start(force=force)
            while len(made) < kills and there.state(run) is None:
                _pause(draw.uniform(*PAUSE_S), there, run)
                kill = _strike(there, run, run_id, draw, began)
                if kill is not None:
                    made.append(kill)
                    out.print(_line(len(made), kill))
            there.complete(run, timeout_s=timeout_s)
            record = RunRecord(there.workspace.artifacts, run_id).read()
            assert record is not None
            interval_s = record["config"]["checkpoint"]["interval_s"]
        return made, _digests(there), interval_s


def _pause(seconds: float, there: Aside, run: Any) -> None:
    """Sleep, at most until the run ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and there.state(run) is None:
        time.sleep(LOOK_S)


def _digests(there: Aside) -> Digests:
    """Of everything the newest manifest of each stage promises."""
    return {
        name: {a: entry.sha256 for a, entry in manifests[0].artifacts.items() if entry.sha256}
        for name in graph.specs()
        if (manifests := there.workspace.artifacts.manifests(name))
    }


def _strike(there: Aside, run: Any, run_id: str, draw: random.Random, began: float) -> Kill | None:
    """Kill something as soon as it runs, and wait until it runs again; None when the run ended."""
    kind = draw.choice(KINDS)
    while not (victims := _victims(there, run_id).get(kind)):
        if there.state(run) is not None:
            return None
        time.sleep(LOOK_S)
    stage, victim = draw.choice(victims)
    lost_s = _since_saved(there, run_id, stage) if stage else None
    victim.send(signal.SIGKILL)
    struck = time.monotonic()
    recovered = _successor(there, run_id, kind, stage, victim)
    while not recovered():
        if there.state(run) is not None:
            return Kill(kind, struck - began, stage, lost_s)
        if time.monotonic() - struck > RECOVERY_S:
            raise StageError(
                f"A killed {stage or kind} was not started again within {RECOVERY_S:.0f} s. "
                f"Logs: {there.home / 'logs'} (removed with the temporary folder)."
            )
        time.sleep(LOOK_S)
    return Kill(kind, struck - began, stage, lost_s, time.monotonic() - struck)


def _victims(there: Aside, run_id: str) -> dict[str, list[tuple[str | None, Identity]]]:
    """What runs now, by kind, with the stage's name where it is one."""
    found: dict[str, list[tuple[str | None, Identity]]] = {}
    record = RunRecord(there.workspace.artifacts, run_id)
    for row in record.rows():
        if row["state"] == "running":
            pid = record.of(row["name"]).get("pid")
            if pid and (identity := Identity.of(pid)):
                found.setdefault("stage", []).append((row["name"], identity))
    if flow := _flow(there, run_id):
        found["flow"] = [(None, flow)]
    running = Running.load(there.home)
    for name, identity in (running.alive() if running else {}).items():
        if name in KINDS:
            found[name] = [(None, identity)]
    return found


def _flow(there: Aside, run_id: str) -> Identity | None:
    from tasks.pulse import key_of

    pulse = there.workspace.artifacts.get_json(key_of(run_id, "graph"))
    return Identity.of(pulse["pid"]) if pulse else None


def _successor(
    there: Aside, run_id: str, kind: str, stage: str | None, victim: Identity
) -> Callable[[], bool]:
    """A question: has another process taken the victim's place?"""

    def stage_again() -> bool:
        record = RunRecord(there.workspace.artifacts, run_id).of(stage or "")
        return record.get("pid") != victim.pid and record.get("state") in ("running", "committed")

    def flow_again() -> bool:
        flow = _flow(there, run_id)
        return flow is not None and flow != victim

    def service_again() -> bool:
        running = Running.load(there.home)
        identity = running.alive().get(kind) if running else None
        answers = kind != "server" or healthy(there.services.api_url)
        return identity is not None and identity != victim and answers

    return {"stage": stage_again, "flow": flow_again}.get(kind, service_again)


def _since_saved(there: Aside, run_id: str, stage: str) -> float:
    """Seconds since the newest local checkpoint of a stage, or since its attempt began."""
    record = RunRecord(there.workspace.artifacts, run_id).of(stage)
    began = datetime.fromisoformat(record["started_at"]).timestamp()
    work: Path = there.workspace.work(stage, record["fingerprint"])
    saved = [path.stat().st_mtime for path in work.glob("progress/[0-9]*/complete.json")]
    return max(0.0, time.time() - max([began, *saved]))


def _figures(
    made: Sequence[Kill], expected: Digests, different: Sequence[str], interval_s: float
) -> dict[str, Any]:
    lost = [kill.lost_s / interval_s for kill in made if kill.lost_s is not None]
    return {
        "kills": len(made),
        "artifacts": sum(len(digests) for digests in expected.values()),
        "artifacts_different": len(different),
        "max_lost_intervals": max(lost, default=None),
        **{f"restart_s_{kind}": _median(made, kind) for kind in KINDS},
        "store_faults": None,
    }


def _median(made: Sequence[Kill], kind: str) -> float | None:
    took = [kill.restart_s for kill in made if kill.kind == kind and kill.restart_s is not None]
    return statistics.median(took) if took else None


def _record(kill: Kill) -> dict[str, Any]:
    return {name: getattr(kill, name) for name in Kill.__slots__}


def _line(number: int, kill: Kill) -> str:
    what = f"stage {kill.stage}" if kill.stage else kill.kind
    lost = f", {kill.lost_s:.1f} s of work lost" if kill.lost_s is not None else ""
    back = (
        f"back after {kill.restart_s:.1f} s" if kill.restart_s is not None else "not needed again"
    )
    return f"{number:4}  {kill.at_s:6.1f} s  {what}: {back}{lost}"


def _show(
    out: Console, made: Sequence[Kill], figures: dict[str, Any], different: Sequence[str]
) -> None:
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
    out.print(
        f"{figures['artifacts']} artifacts, {figures['artifacts_different']} different"
        + (f": {', '.join(different)}" if different else "")
    )
