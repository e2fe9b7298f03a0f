"""Contenders side by side: a process each, rounds in turn, the CPU of whole process trees.

Only one contender works at any moment, the others wait, so each has the same cores to itself, and
a machine that is slow for a minute is slow for all of them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from voltx_core.bench.contenders.contender import Script

_HOST = "voltx_core.bench.contenders.host"
_WRONG = Script("wrong", "def f():\n    return 1\n", ("assert f() == 2\n",), "f", "")


@dataclass(frozen=True)
class Round:
    """One contender's pass over all scripts.

    Attributes:
        wall_s: from the first program's start to the last verdict.
        cpu_s: of the contender's process and everything it started, ended or not.
        latencies_s: of each program, in the scripts' order.
        failed: ids of the scripts that did not pass.
    """

    wall_s: float
    cpu_s: float
    latencies_s: tuple[float, ...]
    failed: tuple[str, ...]


@dataclass
class Record:
    """Everything seen of one contender; ``why`` says why there is nothing."""

    name: str
    rounds: list[Round] = field(default_factory=list)
    slot_mib: float | None = None
    why: str | None = None


class _Rider:
    """A contender's process, seen from outside."""

    def __init__(self, name: str, workers: int) -> None:
        self.record = Record(name)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", _HOST, name, str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def prepare(self, scripts: Sequence[Script]) -> None:
        """Wait until it is ready and warm; one that passes a wrong program is not measured."""
        word = self._heard()
        if "absent" in word:
            self.record.why = word["absent"]
        if self.record.why is None:
            verdict = self._asked([_WRONG])
            if verdict and verdict["seen"][0][0]:
                self.record.why = "it passed a program that is wrong"
        if self.record.why is None:
            self._asked(scripts)

    def ride(self, scripts: Sequence[Script]) -> None:
        """One counted round; none if it cannot be counted on."""
        if self.record.why is not None:
            return
        before = _tree_cpu_s(self._process.pid)
        answer = self._asked(scripts)
        if not answer:
            return
        cpu_s = _tree_cpu_s(self._process.pid) - before
        failed = [
            script.id for script, seen in zip(scripts, answer["seen"], strict=True) if not seen[0]
        ]
        latencies = tuple(wall_s for _, wall_s in answer["seen"])
        self.record.rounds.append(Round(answer["wall_s"], cpu_s, latencies, tuple(failed)))
        if answer["slots"]:
            sizes = [_tree_mib(pid) for pid in answer["slots"]]
            known = [size for size in sizes if size is not None]
            self.record.slot_mib = sum(known) / len(known) if len(known) == len(sizes) else None

    def _asked(self, scripts: Sequence[Script]) -> dict[str, Any]:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(scripts) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        """Its next answer; empty, and the reason recorded, when it has died."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self.record.why = f"its process ended: {said[-1] if said else 'without a word'}"
        self.record.rounds.clear()
        return {}

    def close(self) -> None:
        self._process.communicate()
        self._errors.close()


def race(
    names: Sequence[str],
    scripts: Sequence[Script],
    *,
    workers: int,
    repeat: int,
    on_round: Callable[[int, int, str], None],
) -> dict[str, Record]:
    """Let every contender judge all scripts ``repeat`` times, in rounds that alternate.

    Args:
        names: contenders, of ``CONTENDERS``.
        scripts: what each of them runs, in this order.
        workers: how many programs each runs side by side.
        repeat: counted rounds; an uncounted one comes before.
        on_round: told (rounds done, of how many, contender that is next).

    Returns:
        A record per contender, in the order of ``names``.
    """
    total, done = len(names) * (repeat + 1), 0
    riders: list[_Rider] = []
    try:
        for name in names:
            on_round(done, total, name)
            riders.append(_Rider(name, workers))
            riders[-1].prepare(scripts)
            done += 1
        for turn in range(repeat):
            first = turn % len(riders)  # nobody always runs behind the same one
            for rider in riders[first:] + riders[:first]:
                on_round(done, total, rider.record.name)
                rider.ride(scripts)
                done += 1
    finally:
        for rider in riders:
            rider.close()
    return {rider.record.name: rider.record for rider in riders}


def _tree_cpu_s(root: int) -> float:
    """CPU seconds of a process, its live descendants, and all they have waited for."""
    process = psutil.Process(root)
    total = 0.0
    # Leaves first: one that ends meanwhile is then counted by its parent, not lost.
    for member in reversed([process, *process.children(recursive=True)]):
        try:
            total += sum(member.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def _tree_mib(root: int) -> float | None:
    """Memory of a process and its descendants: what they share with others counts in part."""
    try:
        process = psutil.Process(root)
        members = [process, *process.children(recursive=True)]
        return sum(member.memory_full_info().pss for member in members) / (1 << 20)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
