"""A run whose budget is spent in the middle of training stops after a save, tells, and goes on."""

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import voltx_core
from deployments.aside import Aside, aside
from voltx_core.errors import StageError

pytestmark = pytest.mark.integration

LONG = {"translator.steps": 300, "checkpoint.interval_s": 1.0}
STEP = "            rows = rows_of_step("
WAIT = """\
            import os
            while step and os.path.exists({gate!r}) and not run.stop:
                time.sleep(0.05)
"""
DOLLAR_A_SECOND = {f"cost.rates_usd_per_hour.{kind}": 3600.0 for kind in ("cpu", "gpu")}


@pytest.fixture
def letters() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Address of a web server, and what it was sent, each with its path."""
    received: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            received.append({"path": self.path, **content})
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


def waiting(folder: Path, gate: Path) -> str:
    """A PYTHONPATH with the library, but training waits after a step while ``gate`` exists.

    However fast the machine is, the budget is then spent in the middle of training.
    """
    shutil.copytree(Path(voltx_core.__path__[0]), folder / "voltx_core")
    loop = folder / "voltx_core" / "training" / "loop.py"
    assert loop.read_text().count(STEP) == 1
    loop.write_text(loop.read_text().replace(STEP, WAIT.format(gate=str(gate)) + STEP))
    return str(folder)


def make_block(project: Aside, url: str) -> None:
    """A notification block of Prefect, as the UI makes one."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: project.services.api_url}):
        words = {"subject": "{{subject}}", "body": "{{body}}"}
        CustomWebhookNotificationBlock(name="told", url=url, json_data=words).save("told")


def test_a_spent_budget_stops_the_run_after_a_save_and_the_next_run_goes_on(
    tmp_path: Path, letters: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = letters
    listed = f"{url}/direct,custom-webhook/told"
    gate = tmp_path / "gate"
    library = waiting(tmp_path / "library", gate)
    with aside(folder=tmp_path, VOLTX_NOTIFY=listed, PYTHONPATH=library) as project:
        make_block(project, f"{url}/block")
        first, _ = project.start(until="data")
        project.complete(first, timeout_s=200)

        gate.touch()
        limited = {**LONG, **DOLLAR_A_SECOND, "cost.budget_usd": 20.0}
        flow_run, run_id = project.start(until="translator", overrides=limited)
        with pytest.raises(StageError, match=r"cost\.budget_usd is \$20\.00"):
            project.complete(flow_run, timeout_s=300)

        artifacts = project.workspace.artifacts
        outcome = artifacts.get_json(f"runs/{run_id}/outcome.json")
        record = project.record(run_id, "translator")
        saved = artifacts.progress_steps("translator", record["fingerprint"])
        print(outcome["state"], outcome["why"], f"checkpoints in the store: {saved}", sep="\n")
        assert outcome["state"] == record["state"] == "stopped"
        assert "and cost.budget_usd is $20.00. Progress is saved." in outcome["why"]
        assert saved

        gate.unlink()
        again, _ = project.start(until="translator", overrides=LONG)
        project.complete(again, timeout_s=300)
        log = (project.home / "logs" / "worker.log").read_text()
        assert f"Resuming from checkpoint {saved[-1]}" in log
        assert artifacts.manifests("translator")[0].fingerprint == record["fingerprint"]
        assert (tmp_path / "runs" / run_id / "report.md").read_text().count("### Money") == 1

    print(*received, sep="\n")
    direct = [letter["state"] for letter in received if letter["path"] == "/direct"]
    blocks = [letter["subject"] for letter in received if letter["path"] == "/block"]
    assert direct == ["completed", "stopped", "completed"]
    assert [subject.split()[-1] for subject in blocks] == direct
    written = [path for path in tmp_path.rglob("*.json") if url in path.read_text(errors="replace")]
    assert written == []
