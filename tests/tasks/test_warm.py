"""Handing a run over to a warm process, with real processes and a stand-in for the engine.

The stand-in replaces `prefect.engine` through PYTHONPATH, so no server is needed; everything else
is the code that runs in production.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = """
import os, signal, sys, time
how = os.environ.get("HOW", "0")
if how == "wait":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("engine in", os.getpid(), "at", os.getcwd(), "for", os.environ["WHO"], flush=True)
if how == "wait":
    time.sleep(60)
if how == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(how))
"""


class Bench:
    """A folder with a stand-in engine, and the processes started for a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        package = folder / "site" / "prefect"
        package.mkdir(parents=True)
        for name in ("__init__", "flow_engine"):
            (package / f"{name}.py").write_text("")
        (package / "engine.py").write_text(f"if __name__ == '__main__':\n{_indent(ENGINE)}")
        for name in ("torch", "stand_in_stage"):
            (folder / "site" / f"{name}.py").write_text("")
        self.started: list[subprocess.Popen[str]] = []

    def environ(self, **more: str) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder / "site"), *sys.path])
        own = {"VOLTX_HOME": str(self.folder), "PYTHONPATH": path, "VOLTX_WARM": "1"}
        return {**os.environ, **own, "VOLTX_PROJECT": str(self.folder), **more}

    def warm(self) -> "subprocess.Popen[str]":
        """A warm process that listens."""
        code = (
            "import sys; from tasks import warm; warm.IMPORTS = ('prefect.engine', 'torch'); "
            "warm.main()"
        )
        process = self._start([sys.executable, "-c", code, str(self.folder / "warm")])
        socket = self.folder / "warm" / f"{process.pid}.sock"
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    def run(self, **more: str) -> "subprocess.Popen[str]":
        """What a worker starts for a run."""
        command = [sys.executable, "-m", "tasks.process"]
        return self._start(command, WHO="a stage", **more)

    def _start(self, command: list[str], **more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            command,
            env=self.environ(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process


def _indent(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.strip().splitlines())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_warm_process_runs_it_and_its_words_and_code_come_back(bench: Bench) -> None:
    warm = bench.warm()
    run = bench.run(HOW="3")

    said, _ = run.communicate(timeout=60)

    assert f"engine in {warm.pid} at {bench.folder} for a stage" in said
    assert run.returncode == 3
    assert warm.wait(timeout=10) == 0


def test_without_a_warm_process_it_runs_right_here(bench: Bench) -> None:
    run = bench.run(HOW="4")

    said, _ = run.communicate(timeout=60)

    assert f"engine in {run.pid}" in said
    assert run.returncode == 4


def test_a_socket_that_a_killed_process_left_is_passed_over(bench: Bench) -> None:
    warm = bench.warm()
    warm.kill()
    warm.wait(timeout=10)

    run = bench.run()

    assert f"engine in {run.pid}" in run.communicate(timeout=60)[0]
    assert run.returncode == 0


def test_one_warm_process_takes_one_run_the_other_runs_cold(bench: Bench) -> None:
    warm = bench.warm()
    first, second = bench.run(), bench.run()

    said = [process.communicate(timeout=60)[0] for process in (first, second)]

    assert sum(f"engine in {warm.pid}" in text for text in said) == 1
    assert first.returncode == second.returncode == 0


def test_a_warm_process_that_is_killed_looks_killed_to_the_worker(bench: Bench) -> None:
    bench.warm()
    run = bench.run(HOW="die")

    run.communicate(timeout=60)

    assert run.returncode == -signal.SIGKILL


def test_sigterm_is_handed_on(bench: Bench) -> None:
    warm = bench.warm()
    run = bench.run(HOW="wait")
    assert run.stdout is not None
    assert "engine in" in run.stdout.readline()

    run.terminate()

    assert run.wait(timeout=30) == 7
    assert warm.wait(timeout=10) == 0


def test_killing_the_stand_in_takes_the_warm_process_along(bench: Bench) -> None:
    warm = bench.warm()
    run = bench.run(HOW="wait")
    assert run.stdout is not None
    assert "engine in" in run.stdout.readline()

    run.kill()

    assert warm.wait(timeout=30) == -signal.SIGKILL
