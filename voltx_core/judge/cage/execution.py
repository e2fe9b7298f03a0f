"""Whole programs: Python scripts fed by stdin, and programs of other languages, step by step.

Nothing here knows what the right output is: outputs go back to the judge, which compares.
"""

import mmap
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from . import beside, candidate
from .frames import HEADER, read_exact, read_into
from .jail import Confinement, Fence, Jail
from .process import Ending, watch
from .quota import Quota
from .scratch import products
from .values import decode, encode
from .wire import TAKEN

_MAX_STDERR = 2000
_REPORT_LIMIT = 1 << 30


def run_script(
    jail: Jail, request: int, length: int, report: int, announce: Callable[[int], None]
) -> None:
    """Run one Python program on each given stdin, all within one CPU budget.

    The order is a frame with everything but the inputs, then the inputs themselves. They lie in
    memory that a fork does not copy: a program knows no input but the one it reads.
    """
    content = mmap.mmap(-1, length)
    content.madvise(mmap.MADV_DONTFORK)
    read_into(request, content)
    os.write(report, TAKEN)  # the order is off the wire, whatever happens now
    (size,) = HEADER.unpack_from(content)
    at = HEADER.size + size
    order = decode(content[HEADER.size : at])
    cpu_left, end = order["cpu_s"], time.monotonic() + order["wall_s"]
    runs: list[dict[str, Any]] = []
    fence = Fence(jail, Confinement())
    for size in order["sizes"]:
        if cpu_left <= 0:
            break
        stdin = memoryview(content)[at : at + size]
        at += size
        ending = watch(
            partial(fence.enclose, cpu_left, order["memory_mib"]),
            partial(candidate.run_program, order["code"], order["setup"]),
            stdin,
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

    A required step (a compiler) has limits of its own, and ends the sequence when it fails; the
    others share the order's budget. What the required step made is part of the report.
    """
    order = _read_order(request, length, report)
    for name, content in order["files"].items():
        if "/" in name:
            os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as file:
            file.write(content)
    runs: list[dict[str, Any]] = []
    cpu_left, wall_left = order["cpu_s"], order["wall_s"]
    for step in order["steps"]:
        if cpu_left <= 0 or wall_left <= 0:
            break
        cpu_s, wall_s = step.get("cpu_s", cpu_left), step.get("wall_s", wall_left)
        began = time.monotonic()
        limits = Confinement(
            may_exec=True, may_build=step["required"], address_space=step["address_space"]
        )
        ending = watch(
            partial(_enclose_command, Fence(jail, limits), cpu_s, step["memory_mib"]),
            partial(os.execve, step["argv"][0], step["argv"], _in_place(step["environment"])),
            step["stdin"],
            cpu_s=cpu_s,
            wall_s=wall_s,
            output_bytes=step["output_bytes"],
            announce=announce,
            quota=Quota() if step["required"] and not jail.stores else None,
        )
        runs.append(_as_data(ending))
        if step["required"]:
            if ending.exit_code or ending.reason != "exited":
                break
            runs[-1]["made"] = products(step["makes"])
        else:
            cpu_left -= ending.cpu_s
            wall_left -= time.monotonic() - began
            if ending.reason == "timeout":
                break
    _write_report(report, runs)


def run_beside(
    jail: Jail, request: int, length: int, report: int, announce: Callable[[int], None]
) -> None:
    """Run the tests of one Python program in its own interpreter."""
    order = _read_order(request, length, report)
    try:
        trees = beside.parsed(order["tests"])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return _write_report(report, {"broken": f"{type(error).__name__}: {error}"})
    ending = watch(
        partial(Fence(jail, Confinement()).enclose, order["cpu_s"], order["memory_mib"]),
        partial(beside.serve_tests, order["code"], order["setup"], order["entry_point"], trees),
        order["nonce"].encode("ascii"),
        cpu_s=order["cpu_s"],
        wall_s=order["wall_s"],
        output_bytes=order["output_bytes"],
        announce=announce,
    )
    return _write_report(report, _as_data(ending))


def _in_place(environment: dict[str, str]) -> dict[str, str]:
    """The environment with the working directory for ``{scratch}``."""
    return {name: value.replace("{scratch}", os.getcwd()) for name, value in environment.items()}


def _enclose_command(fence: Fence, cpu_s: float, memory_mib: int) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and exec keeps that
        signal.signal(number, signal.SIG_DFL)
    fence.enclose(cpu_s, memory_mib)


def _read_order(request: int, length: int, report: int) -> dict[str, Any]:
    payload = read_exact(request, length)
    os.write(report, TAKEN)  # the order is off the wire, whatever happens now
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


def _write_report(report: int, seen: object) -> None:
    frame = encode(seen, limit=_REPORT_LIMIT)
    with open(report, "wb", closefd=False) as file:
        file.write(HEADER.pack(len(frame)) + frame)
