"""The judge as a machine: dead slots, leaks, many threads."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace

import psutil
import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.errors import JudgeError
from voltx_core.judge import Judge, Program


def double(n: int, *, slow: bool = False) -> Program:
    wait = "sum(range(10**6))" if slow else "0"
    return Program(
        id=str(n),
        code=f"def f(x):\n    {wait}\n    return {n} * x",
        tests=(f"assert f(2) == {2 * n}",),
        entry_point="f",
    )


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_killed_zygotes_are_replaced_and_nothing_is_lost():
    before = {process.pid for process in descendants()}
    with Judge(workers=2) as judge:
        judge.run([double(0), double(1)])
        kills = 0

        def kill_one(done: int, _: int) -> None:
            nonlocal kills
            if done in (5, 20, 30):
                own = [p for p in descendants() if p.pid not in before]
                own[0].kill()
                kills += 1

        verdicts = judge.run([double(n, slow=True) for n in range(40)], on_progress=kill_one)
        assert kills == 3
        assert [verdict.id for verdict in verdicts] == [str(n) for n in range(40)]
        assert all(verdict.passed for verdict in verdicts)


def test_a_judge_that_cannot_start_its_slots_says_so_and_scores_nothing(monkeypatch):
    judge = Judge(workers=1)
    monkeypatch.setattr("sys.executable", "/bin/false")
    with judge, pytest.raises(JudgeError, match="does not start at level"):
        judge.run([double(1)])


def test_closing_leaves_no_process_no_file_and_no_descriptor(tmp_path, monkeypatch):
    Judge(workers=1).close()  # what is kept for the whole process is there now
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    processes, descriptors = len(descendants()), len(os.listdir("/proc/self/fd"))
    judge = Judge(workers=2)
    assert all(v.passed for v in judge.run([double(n) for n in range(30)]))
    judge.close()
    judge.close()
    assert len(descendants()) == processes
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JudgeError, match="closed"):
        judge.run([double(1)])


def test_nothing_survives_a_judge_that_is_killed(tmp_path):
    code = (
        "from voltx_core.judge import *\n"
        "judge = Judge(workers=2)\n"
        "loop = Program(id='l', code='def f():\\n while True: pass', tests=('assert f()',),"
        " entry_point='f', limits=Limits(cpu_s=60.0, wall_s=600.0))\n"
        "judge.run([Program(id='p', code='def f(): return 1', tests=('assert f()',))] * 4)\n"
        "print('warm', flush=True)\n"
        "judge.run([loop] * 2)\n"
    )
    victim = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": tmp_path}
    )
    assert victim.stdout
    assert victim.stdout.readline() == b"warm\n"
    below = psutil.Process(victim.pid).children(recursive=True)
    assert len(below) >= 2
    victim.kill()
    victim.wait()
    victim.stdout.close()
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []


@pytest.mark.parametrize("which", ["candidate", "checker", "zygote"])
def test_a_slot_that_was_hit_while_it_stood_ready_costs_no_verdict(settled, which):
    before = {process.pid for process in descendants()}
    with Judge(workers=1) as judge:
        judge.run([double(1)])
        settled(lambda: len(descendants()))
        own = [process for process in descendants() if process.pid not in before]
        # Candidates lead sessions of their own; checkers are forked from the zygote like them.
        youngest = [p for p in own if not p.children()]
        candidates = [p for p in youngest if os.getsid(p.pid) == p.pid]
        checkers = [p for p in youngest if os.getsid(p.pid) != p.pid]
        assert (len(candidates), len(checkers)) == (1, 1)
        zygote = candidates[0].parent()
        hit = {"candidate": candidates[0], "checker": checkers[0], "zygote": zygote}[which]
        hit.kill()
        while is_alive(hit):
            time.sleep(0.01)
        verdicts = judge.run([double(n) for n in range(4)])
        assert [verdict.detail for verdict in verdicts if not verdict.passed] == []


def test_a_checker_that_is_worn_after_orders_of_all_kinds_has_its_last_one_counted():
    """The slot is not given up: whatever was judged is told at once."""
    beside = replace(double(2), assurance="inproc")
    script = Program(id="s", code="print(1)", tests=(StdioTest(stdin="", stdout="1"),))
    # A checker that ran such tests ends itself.
    wearing = replace(double(3), setup="import os\nos.environ['X'] = '1'")
    before = {process.pid for process in psutil.Process().children()}
    with Judge(workers=1) as judge:
        judge.run([double(1)])
        slots = {process.pid for process in psutil.Process().children()} - before
        rows = [beside, double(1), wearing, script, double(1), wearing, wearing, beside, double(1)]
        assert all(verdict.passed for verdict in judge.run(rows * 3))
        assert {process.pid for process in psutil.Process().children()} - before == slots


def test_a_slot_serves_many_programs_without_growing(judge, settled):
    def size() -> int:
        return sum(process.memory_info().rss for process in descendants())

    judge.run([double(n) for n in range(20)])
    before = settled(size)
    judge.run([double(n) for n in range(100)])
    assert settled(size) < before + (8 << 20)


def test_threads_share_one_judge(judge):
    outcomes: dict[int, bool] = {}

    def use(number: int) -> None:
        verdicts = judge.run([double(n) for n in range(number, number + 5)])
        outcomes[number] = all(verdict.passed for verdict in verdicts)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == dict.fromkeys(range(4), True)
