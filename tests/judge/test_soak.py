"""Many programs in one go, one in ten hostile: nothing lost, nothing left, nothing judged twice.

VOLTX_SOAK=20000 python -m pytest tests/judge/test_soak.py -m integration -s    # twice so many
"""

import os
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.judge import Judge, Limits, Outcome, Program

HONEST = Limits(cpu_s=2.0, wall_s=300.0, memory_mib=128)
LOOPING = Limits(cpu_s=0.05, wall_s=300.0, memory_mib=64, output_kib=64)
WAITING = Limits(cpu_s=0.2, wall_s=0.3, memory_mib=64)
GREEDY = Limits(cpu_s=2.0, wall_s=300.0, memory_mib=64, output_kib=64)
BAD = frozenset({Outcome.FAILED, Outcome.TIMEOUT, Outcome.CRASHED})

HOSTILE = {
    "loop": ("def f():\n    while True: pass", LOOPING),
    "loop at load": ("while True: pass", LOOPING),
    "sleep": ("import time\ndef f(): time.sleep(1000)", WAITING),
    "stop": ("import signal\ndef f(): signal.raise_signal(signal.SIGSTOP)", WAITING),
    "memory at once": ("def f(): return bytearray(1 << 34)", GREEDY),
    "memory bit by bit": (
        "def f():\n    x = []\n    while True: x.append(bytes(1 << 22))",
        GREEDY,
    ),
    "forks": (
        "import os\ndef f():\n    while True:\n        try: os.fork()\n"
        "        except OSError: pass",
        LOOPING,
    ),
    "threads": (
        "import threading, time\ndef f():\n    while True:\n"
        "        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
        GREEDY,
    ),
    "flood of answers": ("import os\ndef f():\n    while True: os.write(4, b'x' * 4096)", GREEDY),
    "flood of output": ("def f():\n    while True: print('x' * 4096)", LOOPING),
    "kill everyone": (
        "import os\ndef f():\n    for pid in (os.getppid(), 1, -1, 0):\n"
        "        try: os.kill(pid, 9)\n        except OSError: pass",
        GREEDY,
    ),
    "kill itself": ("import signal\ndef f(): signal.raise_signal(signal.SIGKILL)", GREEDY),
    "leave": ("import os\ndef f(): os._exit(0)", GREEDY),
    "descriptors": ("import os\ndef f():\n    while True: os.dup(0)", GREEDY),
    # Scratch is full long before this limit: near one, a verdict would be up to chance.
    "files": ("def f():\n    for n in range(10**9): open(str(n), 'w').write('x')", GREEDY),
    "disk": (
        "def f():\n    with open('x', 'wb') as file:\n"
        "        while True: file.write(bytes(1 << 20))",
        GREEDY,
    ),
    "break the interpreter": ("import ctypes\ndef f(): ctypes.string_at(1)", GREEDY),
}


def honest(number: int) -> tuple[Program, Outcome]:
    """A program that deserves to pass, or one in five that deserves to fail."""
    right = number % 5 != 0
    add = number if right else number + 1
    kind = number % 7
    passed = Outcome.PASSED if right else Outcome.FAILED
    if kind == 0:
        test = StdioTest(stdin="1 2 3", stdout=str(6 + number))
        code = f"print(sum(map(int, input().split())) + {add})"
        return program(number, code, test, HONEST), passed
    code = (
        "import os\ndef f(items):\n"
        "    try: found = os.listdir('.')\n    except PermissionError: found = []\n"  # as levels go
        "    assert found == []\n"
        "    try: open('mine', 'w').write('x')\n    except PermissionError: pass\n"
        f"    return sorted(items), len(items) + {add}"
    )
    test = f"assert f([3, 1, 2]) == ([1, 2, 3], {3 + number})"
    assurance = "inproc" if kind == 1 else "split"
    return program(number, code, test, HONEST, assurance=assurance), passed


def program(number: int, code: str, test, limits: Limits, **more) -> Program:
    entry_point = "f" if isinstance(test, str) else None
    return Program(
        id=str(number), code=code, tests=(test,), entry_point=entry_point, limits=limits, **more
    )


def mixture(count: int) -> tuple[list[Program], list[frozenset[Outcome]]]:
    """Programs, one in ten hostile, and the outcomes that each may have."""
    programs, allowed = [], []
    hostile = list(HOSTILE.values())
    for number in range(count):
        if number % 10 == 9:
            code, limits = hostile[number // 10 % len(hostile)]
            programs.append(program(number, code, "assert f() == 1", limits))
            allowed.append(BAD)
        else:
            one, outcome = honest(number)
            programs.append(one)
            allowed.append(frozenset({outcome}))
    return programs, allowed


def children_beyond(others: set[int], *, recursive: bool) -> list[psutil.Process]:
    below = psutil.Process().children(recursive=recursive)
    return [process for process in below if process.pid not in others]


def held_by_slots(others: set[int]) -> dict[str, int]:
    """How many processes the judge has, and the most that any of them holds."""
    below = children_beyond(others, recursive=True)
    return {
        "processes": len(below),
        "descriptors": max(len(os.listdir(f"/proc/{p.pid}/fd")) for p in below),
        "bytes": max(p.memory_info().rss for p in below),
    }


def soak(count: int, kills: int, settled) -> dict[str, object]:
    """Judge the mixture twice on one judge, killing slots meanwhile; check it; what was seen."""
    programs, allowed = mixture(count)
    own_descriptors = len(os.listdir("/proc/self/fd"))
    others = {process.pid for process in psutil.Process().children(recursive=True)}
    started, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    workers = 2
    with Judge(workers=workers) as judge:
        judge.run(programs[:60])
        before, sizes = settled(lambda: held_by_slots(others)), []
        killed = 0

        def watch(done: int, total: int) -> None:
            nonlocal killed
            seen.append(done)
            if done % max(1, total // (kills + 1)) == 0 and killed < kills * len(runs):
                slots = children_beyond(others, recursive=False)
                slots[done % len(slots)].kill()
                killed += 1

        runs: list[list[tuple[str, str, int, str]]] = []
        for _ in range(2):
            seen: list[int] = []
            runs.append([])
            verdicts = judge.run(programs, on_progress=watch)
            assert seen == list(range(1, count + 1))  # every program once
            assert [verdict.id for verdict in verdicts] == [one.id for one in programs]
            surprises = [
                (v.id, v.outcome, v.detail)
                for v, outcomes in zip(verdicts, allowed, strict=True)
                if v.outcome not in outcomes
            ]
            assert surprises == []
            runs[-1] = [(v.id, str(v.outcome), v.tests_passed, v.detail) for v in verdicts]
            del verdicts
            sizes.append(psutil.Process().memory_info().rss)
        assert killed == 2 * kills
        differing = [(a, b) for a, b in zip(*runs, strict=True) if a[:3] != b[:3]]
        assert differing == []
        judge.run(programs[:60])  # every slot has come back
        after = settled(lambda: held_by_slots(others))
        # A slot is a zygote with, at most, its keeper, a checker and a candidate.
        assert after["processes"] <= 4 * workers
        assert after["descriptors"] <= before["descriptors"]
        assert after["bytes"] < before["bytes"] + (16 << 20)
        # The first run makes room for its verdicts; the second must do with it.
        grown = sizes[1] - sizes[0]
        assert grown < 16 << 20
    assert len(os.listdir("/proc/self/fd")) == own_descriptors
    assert children_beyond(others, recursive=True) == []
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "programs": 2 * count,
        "hostile": 2 * sum(outcomes is BAD for outcomes in allowed),
        "outcomes of a run": dict(Counter(outcome for _, outcome, _, _ in runs[0])),
        "slots killed": killed,
        "differing verdicts": len(differing),
        "level": judge.level,
        "slots before and after": (before, after),
        "judge grown in the second run by MiB": round(grown / (1 << 20), 1),
        "wall s": round(time.monotonic() - started),
        "CPU s": round(used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime),
    }


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever a judge writes lands here, and nothing of it stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


def test_three_hundred_programs_one_in_ten_hostile_leave_nothing_behind(settled):
    figures = soak(150, kills=2, settled=settled)
    assert figures["programs"] == 300
    assert figures["hostile"] == 30


@pytest.mark.integration
def test_thousands_of_programs_one_in_ten_hostile_leave_nothing_behind(settled):
    programs = int(os.environ.get("VOLTX_SOAK", "2000"))
    figures = soak(programs, kills=programs // 1000, settled=settled)
    for name, value in figures.items():
        print(f"{name}: {value}")
    assert figures["programs"] == 2 * programs
    assert figures["hostile"] == programs // 5
