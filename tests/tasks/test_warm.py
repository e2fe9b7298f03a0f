"""Handing a run over to a warm process, with real processes and a stand-in for the engine.

The stand-in replaces `prefect.engine` through PYTHONPATH, so no server is needed; everything else
is the code that runs in production.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.processes import Identity

ENGINE = """
import ctypes, logging, os, signal, sys, time
how = os.environ.get("HOW", "0")
if how == "wait":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
spin = ctypes.CDLL(None).getenv
spin.restype = ctypes.c_char_p
print(
    "engine in", os.getpid(), "at", os.getcwd(), "for", os.environ["WHO"],
    "torch:", "torch" in sys.modules, "spin:", spin(b"GOMP_SPINCOUNT"),
    "level:", logging.getLogger("voltx_core.lifecycle").getEffectiveLevel(), flush=True
)
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
        own = {"VOLTX_HOME": str(self.folder), "PYTHONPATH": path, "VOLTX_WARM": "torch"}
        return {**os.environ, **own, "VOLTX_PROJECT": str(self.folder), **more}

    def warm(self) -> "subprocess.Popen[str]":
        """The first of the two warm processes, when both listen."""
        code = (
            "import sys; from tasks import warm; "
            "warm.IMPORTS = {'prefect': ('prefect.engine',), 'torch': ('torch',)}; warm.main()"
        )
        process = self._start([sys.executable, "-c", code, str(self.folder / "warm")])
        self.until(lambda: self._connects("prefect") and self._connects("torch"))
        return process

    def _connects(self, name: str) -> bool:
        """Whether a warm process answers; the run it forks for this is given up at once."""
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(10)
                probe.connect(f"warm/{name}.sock")
                return len(probe.recv(8)) == 8
        except OSError:
            return False
        finally:
            os.chdir(here)

    @staticmethod
    def until(look: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not look():
            assert time.monotonic() < deadline
            time.sleep(0.02)

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


def ran_in(said: str) -> int:
    """Pid of the process that ran the engine."""
    return int(said.partition("engine in ")[2].split()[0])


def alive(pid: int) -> bool:
    return Identity.of(pid) is not None


def test_a_forked_process_runs_it_and_its_words_and_code_come_back(bench: Bench) -> None:
    warm = bench.warm()
    run = bench.run(HOW="3")

    said, _ = run.communicate(timeout=60)

    assert ran_in(said) not in (warm.pid, run.pid)
    assert f"at {bench.folder} for a stage" in said
    assert "level: 20" in said  # what the library says is not lost
    assert run.returncode == 3
    assert warm.poll() is None


def test_a_run_writes_to_its_log_itself_where_there_is_one(bench: Bench) -> None:
    bench.warm()
    log = bench.folder / "runs.log"

    said, _ = bench.run(VOLTX_RUN_LOG=str(log)).communicate(timeout=60)

    assert said == ""
    assert "engine in" in log.read_text()


def test_any_number_of_runs_is_taken_at_once(bench: Bench) -> None:
    bench.warm()
    runs = [bench.run() for _ in range(3)]

    pids = {ran_in(run.communicate(timeout=60)[0]) for run in runs}

    assert len(pids) == 3
    assert pids.isdisjoint(run.pid for run in runs)


def test_torch_is_there_only_for_who_wants_it(bench: Bench) -> None:
    bench.warm()

    with_it = bench.run().communicate(timeout=60)[0]
    without = bench.run(VOLTX_WARM="prefect").communicate(timeout=60)[0]

    assert "torch: True" in with_it
    assert "torch: False" in without


def test_settings_of_a_run_are_there_before_torch_is_loaded(bench: Bench) -> None:
    bench.warm()

    said = bench.run(VOLTX_WARM="prefect", GOMP_SPINCOUNT="7").communicate(timeout=60)[0]

    assert "spin: b'7'" in said


def test_without_a_warm_process_it_runs_right_here(bench: Bench) -> None:
    run = bench.run(HOW="4")

    said, _ = run.communicate(timeout=60)

    assert ran_in(said) == run.pid
    assert "level: 20" in said
    assert run.returncode == 4


def test_a_socket_that_a_killed_process_left_is_passed_over(bench: Bench) -> None:
    warm = bench.warm()
    warm.kill()
    warm.wait(timeout=10)
    bench.until(lambda: not bench._connects("torch"))  # the second goes with the first

    run = bench.run()

    assert ran_in(run.communicate(timeout=60)[0]) == run.pid
    assert run.returncode == 0


def test_a_run_goes_on_when_the_warm_processes_are_killed(bench: Bench) -> None:
    warm = bench.warm()
    run = bench.run(HOW="wait")
    assert run.stdout is not None
    assert "engine in" in run.stdout.readline()
    warm.kill()
    warm.wait(timeout=10)
    bench.until(lambda: not bench._connects("torch"))

    run.terminate()

    assert run.wait(timeout=30) == 7


def test_the_second_warm_process_is_started_again(bench: Bench) -> None:
    warm = bench.warm()
    me = Identity.of(warm.pid)
    assert me is not None
    bench.until(lambda: len(me.children()) == 1)
    second = me.children()[0]

    second.send(signal.SIGKILL)

    bench.until(lambda: bench._connects("torch") and second not in me.children())
    run = bench.run()
    assert ran_in(run.communicate(timeout=60)[0]) != run.pid


def test_a_run_that_is_killed_looks_killed_to_the_worker(bench: Bench) -> None:
    bench.warm()
    run = bench.run(HOW="die")

    run.communicate(timeout=60)

    assert run.returncode == -signal.SIGKILL


def test_sigterm_is_handed_on(bench: Bench) -> None:
    bench.warm()
    run = bench.run(HOW="wait")
    assert run.stdout is not None
    assert "engine in" in run.stdout.readline()

    run.terminate()

    assert run.wait(timeout=30) == 7


def test_killing_the_stand_in_takes_the_run_along(bench: Bench) -> None:
    bench.warm()
    run = bench.run(HOW="wait")
    assert run.stdout is not None
    pid = ran_in(run.stdout.readline())

    run.kill()

    bench.until(lambda: not alive(pid))
