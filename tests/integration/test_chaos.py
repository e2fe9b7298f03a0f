"""The chaos bench as it is typed: a graph under fire ends with the bits of one in peace."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

KILLS = 4


def test_processes_and_requests_that_fail_at_random_leave_no_trace_in_what_is_made() -> None:
    voltx = [sys.executable, "-m", "voltx_core.cli.main"]
    done = subprocess.run(
        [*voltx, "bench", "chaos", "--kills", str(KILLS), "--seed", "11", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.splitlines()
    figures = json.loads(line)["figures"]
    assert figures["kills"] == KILLS
    assert figures["artifacts"] >= 20
    assert figures["artifacts_different"] == 0
    assert figures["store_faults"] > 0
    assert any(figures[name] is not None for name in figures if name.startswith("restart_s_"))
