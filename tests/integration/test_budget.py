"""A run whose budget is spent in the middle of training stops after a save, tells, and goes on."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.aside import Aside, aside
from voltx_core.errors import StageError

pytestmark = pytest.mark.integration

LONG = {"translator.steps": 200, "checkpoint.interval_s": 1.0, "compute.threads_alone": 1}
BUDGETS_USD = (6.0, 15.0, 30.0, 60.0)
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
    with aside(folder=tmp_path, VOLTX_NOTIFY=listed) as project:
        make_block(project, f"{url}/block")
        first, _ = project.start(until="data")
        project.complete(first, timeout_s=200)

        artifacts, saved, budgets = project.workspace.artifacts, [], iter(BUDGETS_USD)
        while not saved:  # on a busy machine the first seconds may be over before any is trained
            budget = next(budgets)
            limited = {**LONG, **DOLLAR_A_SECOND, "cost.budget_usd": budget}
            flow_run, run_id = project.start(until="translator", overrides=limited)
            with pytest.raises(StageError, match=rf"cost\.budget_usd is \${budget:.2f}"):
                project.complete(flow_run, timeout_s=300)
            outcome = artifacts.get_json(f"runs/{run_id}/outcome.json")
            record = project.record(run_id, "translator")
            saved = artifacts.progress_steps("translator", record["fingerprint"])
            print(outcome["state"], outcome["why"], f"checkpoints in the store: {saved}", sep="\n")
            assert outcome["state"] == record["state"] == "stopped"
            assert f"cost.budget_usd is ${budget:.2f}. Progress is saved." in outcome["why"]

        again, _ = project.start(until="translator", overrides=LONG)
        project.complete(again, timeout_s=300)
        log = (project.home / "logs" / "worker.log").read_text()
        assert f"Resuming from checkpoint {saved[-1]}" in log
        assert artifacts.manifests("translator")[0].fingerprint == record["fingerprint"]
        assert (tmp_path / "runs" / run_id / "report.md").read_text().count("### Money") == 1

    print(*received, sep="\n")
    direct = [letter["state"] for letter in received if letter["path"] == "/direct"]
    blocks = [letter["subject"] for letter in received if letter["path"] == "/block"]
    assert direct == ["completed", *["stopped"] * (len(direct) - 2), "completed"]
    assert len(direct) >= 3
    assert [subject.split()[-1] for subject in blocks] == direct
    written = [path for path in tmp_path.rglob("*.json") if url in path.read_text(errors="replace")]
    assert written == []
