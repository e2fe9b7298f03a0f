"""Who is told how a run ended, what, and what a log says of those who are not reached."""

import http.server
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.notification import listed, named, notify, text

STOPPED = {"state": "stopped", "why": "The run has cost $6.00.", "report": "runs/a-run"}


class Mailbox:
    """A web server that keeps what it is sent."""

    def __init__(self, status: int = 200) -> None:
        self.letters: list[dict[str, Any]] = []
        letters = self.letters

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                letters.append(json.loads(self.rfile.read(size)))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.close()


def test_everybody_who_is_listed_is_told(mailbox: Mailbox) -> None:
    places = f"{mailbox.url}/a, {mailbox.url}/b,"
    notify("a-run", STOPPED, environ={"VOLTX_NOTIFY": places})
    assert len(mailbox.letters) == 2
    assert mailbox.letters[0] == {
        "text": "voltx run a-run stopped.\nThe run has cost $6.00.\nReport: runs/a-run",
        "run": "a-run",
        "state": "stopped",
    }


def test_without_a_list_nobody_is_told() -> None:
    assert list(listed({})) == []
    notify("a-run", STOPPED, environ={})


def test_a_completed_run_needs_no_reason() -> None:
    assert text("voltx run a-run completed", {"state": "completed", "why": None}) == (
        "voltx run a-run completed."
    )


def test_a_receiver_that_is_away_costs_a_warning_without_its_secret(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    away = "http://127.0.0.1:9/services/T0/SECRET"
    with caplog.at_level(logging.WARNING):
        notify("a-run", STOPPED, environ={"VOLTX_NOTIFY": f"{away},{mailbox.url}"})
    assert len(mailbox.letters) == 1  # the others are told all the same
    assert "Nobody was told at 127.0.0.1" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_receiver_that_answers_is_not_logged_with_its_secret(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        notify("a-run", STOPPED, environ={"VOLTX_NOTIFY": f"{mailbox.url}/services/T0/SECRET"})
    assert len(mailbox.letters) == 1
    assert "SECRET" not in caplog.text


def test_a_receiver_that_refuses_is_no_failure_either(caplog: pytest.LogCaptureFixture) -> None:
    refusing = Mailbox(status=500)
    notify("a-run", STOPPED, environ={"VOLTX_NOTIFY": refusing.url})
    refusing.close()
    assert "HTTPStatusError" in caplog.text


def test_a_block_is_named_as_it_is() -> None:
    assert named("sendgrid-email/me") == "sendgrid-email/me"
    assert named("https://hooks.example/T0/SECRET") == "hooks.example"
