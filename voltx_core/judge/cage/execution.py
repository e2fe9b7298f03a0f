"""Whole programs: Python scripts fed by stdin, and programs of other languages, step by step.

Nothing here knows what the right output is: outputs go back to the judge, which compares.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from . import candidate
from .frames import HEADER, read_exact
from .jail import Confinement, Jail, confine
from .process import Ending, watch
from .values import decode, encode

_MAX_STDERR = 2000
_REPORT_LIMIT = 1 << 30


def run_script(
    jail: Jail, request: int, length: int, report: int, announce: Callable[[int], None]
) -> None:
    """Run one Python program on each given stdin, all within one CPU budget."""
    order = _read_order(request, length, report)
    cpu_left, end = order["cpu_s"], time.monotonic() + order["wall_s"]
    runs: list[dict[str, Any]] = []
    for stdin in order["stdins"]:
        if cpu_left <= 0:
            break
        limits = Confinement(cpu_s=cpu_left, memory_mib=order["memory_mib"])

        def body(limits: Confinement = limits) -> None:
            confine(jail, limits)
            candidate.run_program(order["code"], order["setup"])

        ending = watch(
            body,
            stdin.encode("utf-8", "surrogatepass"),
            cpu_s=cpu_left,
            wall_s=end - time.monotonic(),
            output_bytes=order["output_bytes"],
            announce=announce,
        )
        cpu_left -= ending.cpu_s
        runs.append(_as_data(ending))
        if ending.reason == "timeout":
            break
    _write_report(report, runs)


def run_steps(
    jail: Jail, request: int, length: int, report: int, announce: Callable[[int], None]
) -> None:
    """Write the order's files into scratch, then run its commands one after the other.

    A required step (a compiler) that fails ends the sequence.
    """
    order = _read_order(request, length, report)
    for name, content in order["files"].items():
        with open(name, "wb") as file:
            file.write(content)
    runs: list[dict[str, Any]] = []
    for step in order["steps"]:
        limits = Confinement(
            cpu_s=step["cpu_s"],
            memory_mib=step["memory_mib"],
            may_exec=True,
            may_fork=step["may_fork"],
            may_chmod=step["may_fork"],
            address_space=step["address_space"],
        )

        def body(step: dict[str, Any] = step, limits: Confinement = limits) -> None:
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these; exec keeps it
                signal.signal(number, signal.SIG_DFL)
            confine(jail, limits)
            os.execve(step["argv"][0], step["argv"], step["environment"])

        ending = watch(
            body,
            step["stdin"],
            cpu_s=step["cpu_s"],
            wall_s=step["wall_s"],
            output_bytes=step["output_bytes"],
            announce=announce,
        )
        runs.append(_as_data(ending))
        if step["required"] and (ending.exit_code or ending.reason != "exited"):
            break
    _write_report(report, runs)


def _read_order(request: int, length: int, report: int) -> dict[str, Any]:
    payload = read_exact(request, length)
    os.write(report, b"R")  # the order is off the wire, whatever happens now
    order: dict[str, Any] = decode(payload)
    return order


def _as_data(ending: Ending) -> dict[str, Any]:
    stdout, stderr, extra = ending.outputs
    return {
        "exit_code": ending.exit_code,
        "reason": ending.reason,
        "stdout": stdout,
        "stderr": stderr[:_MAX_STDERR],
        "extra": extra,
        "cpu_s": ending.cpu_s,
    }


def _write_report(report: int, runs: list[dict[str, Any]]) -> None:
    frame = encode(runs, limit=_REPORT_LIMIT)
    with open(report, "wb", closefd=False) as file:
        file.write(HEADER.pack(len(frame)) + frame)
