"""Processes are known by pid and start, and only they are ended."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.processes import Identity, of_home, stop, wait

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def test_a_running_process_is_recognised_from_its_record(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = Identity.of(sleeper.pid)
    assert identity is not None
    assert Identity.read(identity.record()) == identity
    assert identity.alive()


def test_a_stranger_with_the_same_pid_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    stranger = Identity(pid=sleeper.pid, started="another boot/1")

    assert not stranger.alive()
    stranger.send(signal.SIGKILL)
    assert stop([stranger], grace_s=0.1) == []

    time.sleep(0.1)
    assert sleeper.poll() is None


def test_a_process_that_ended_but_was_not_collected_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    identity = Identity.of(process.pid)
    deadline = time.monotonic() + 10
    while identity is not None and identity.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert identity is None or not identity.alive()
    process.wait()


def test_stop_asks_first_and_insists_then() -> None:
    process = subprocess.Popen(STUBBORN, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    identity = Identity.of(process.pid)
    assert identity is not None

    assert stop([identity], grace_s=0.2) == [identity]

    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_wait_tells_whether_all_ended(sleeper: subprocess.Popen[bytes]) -> None:
    identity = Identity.of(sleeper.pid)
    assert identity is not None
    assert not wait([identity], timeout_s=0.1)
    sleeper.kill()
    assert wait([identity], timeout_s=10)


@pytest.mark.parametrize("record", [None, [], {}, {"pid": "7"}, {"started": "x"}])
def test_what_is_not_a_record_is_no_process(record: object) -> None:
    assert Identity.read(record) is None


def test_processes_of_a_home_are_found_whoever_their_parents_are(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    orphan = (
        "import subprocess, sys; argv = [sys.executable, *sys.argv[1:]]; "
        "print(subprocess.Popen(argv, stdout=subprocess.DEVNULL).pid)"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", orphan, *SLEEP[1:]],
            env={"VOLTX_HOME": str(folder), "PATH": ""},
            stdout=subprocess.PIPE,
            check=True,
        )
        for folder in (home, other)
    ]
    mine, theirs = (Identity.of(int(process.stdout)) for process in made)
    try:
        assert of_home(home) == [mine]
        assert of_home(home, "tasks.process") == []
        assert of_home(home, SLEEP[1]) == [mine]
    finally:
        stop([identity for identity in (mine, theirs) if identity], grace_s=1.0)
