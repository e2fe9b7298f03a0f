"""Requests that bringing services up refuses before anything is started."""

import base64
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.local import admitted, bring_up
from deployments.pools import named, pools, served
from deployments.processes import Identity
from deployments.services import Wanted, environment, within, write_json
from voltx_core.errors import ConfigError


def quiet(_: str) -> None:
    pass


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"VOLTX_HOME": str(home), "VOLTX_STORE": str(home / "store"), **more}


def wanted(home: Path) -> Wanted:
    return Wanted(
        project=str(home),
        home=str(home),
        store=str(home / "store"),
        api_url="http://127.0.0.1:1/api",
        port=1,
        pools=("control", "voltx-cpu"),
    )


def test_the_machine_of_the_graph_leaves_the_stages_of_several_machines_to_others() -> None:
    assert served("one") == pools("one") == ("control", "voltx-cpu")
    assert served("several") == ("control",)
    assert set(pools("several")) == {"control", "voltx-cpu", "voltx-gpu", "voltx-multi-gpu"}


def test_a_machine_joins_only_a_server_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="voltx-gpu needs a server to work for"):
        bring_up(quiet, serve=("voltx-gpu",), environ=environ(tmp_path))


def test_a_server_that_does_not_answer_is_not_joined(tmp_path: Path) -> None:
    nowhere = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    with pytest.raises(ConfigError, match="no Prefect server answers"):
        bring_up(quiet, serve=("voltx-gpu",), environ=environ(tmp_path, **nowhere))


def test_the_address_to_listen_on_must_be_one_of_this_machine(tmp_path: Path) -> None:
    given = environ(tmp_path, PREFECT_API_AUTH_STRING="voltx:secret")
    with pytest.raises(ConfigError, match=r"No server can listen on 203\.0\.113\.1"):
        bring_up(quiet, listen="203.0.113.1", environ=given)


@pytest.mark.parametrize("address", ["10.0.0.1", "0.0.0.0", "::", "fleet.internal"])
def test_a_server_that_others_reach_wants_a_password_first(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match=r"export PREFECT_API_AUTH_STRING="):
        bring_up(quiet, listen=address, environ=environ(tmp_path))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.8", "::1", "localhost"])
def test_loopback_is_within_this_machine(address: str) -> None:
    assert within(address)


class Guarded(http.server.BaseHTTPRequestHandler):
    """Answers as a Prefect server with the password ``voltx:right``."""

    def do_GET(self) -> None:
        right = "Basic " + base64.b64encode(b"voltx:right").decode()
        open_to_all = self.path == "/api/health" or self.headers["Authorization"] == right
        self.send_response(200 if open_to_all else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "one, and none is in PREFECT_API_AUTH_STRING"),
        ({"PREFECT_API_AUTH_STRING": "voltx:wrong"}, "another one than PREFECT_API_AUTH_STRING"),
    ],
)
def test_a_server_that_asks_for_a_password_is_not_joined_without_it(
    guarded: str, given: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        admitted(guarded, given)
    admitted(guarded, {"PREFECT_API_AUTH_STRING": "voltx:right"})


def test_a_server_that_a_key_of_prefect_opens_is_not_asked_for_a_password(guarded: str) -> None:
    admitted(guarded, {"PREFECT_API_KEY": "pnu_key"})


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Overloaded\r\n\r\n", b"SSH-2.0-x\r\n", b""])
def test_what_does_not_answer_as_a_server_is_named(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        with pytest.raises(ConfigError, match=f"The server at {address} does not say its version"):
            admitted(address, {})
        thread.join()


def test_a_server_that_nobody_runs_is_named() -> None:
    with pytest.raises(ConfigError, match="does not say its version"):
        admitted("http://127.0.0.1:9/api", {})


def test_the_password_reaches_server_and_workers_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "voltx:secret")
    made = wanted(tmp_path)
    made.save()
    assert environment(made)["PREFECT_SERVER_API_AUTH_STRING"] == "voltx:secret"
    assert not [path for path in tmp_path.rglob("*") if "secret" in path.read_text()]


def test_a_database_of_the_users_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "PREFECT_API_DATABASE_CONNECTION_URL"
    monkeypatch.delenv(name, raising=False)
    assert environment(wanted(tmp_path))[name].startswith("sqlite+aiosqlite:///")
    monkeypatch.setenv(name, "postgresql+asyncpg://voltx@10.0.0.9/prefect")
    assert environment(wanted(tmp_path))[name] == "postgresql+asyncpg://voltx@10.0.0.9/prefect"


def test_a_pool_may_be_named_by_its_kind() -> None:
    assert named("gpu") == named("voltx-gpu") == "voltx-gpu"
    with pytest.raises(ConfigError, match=r"Those for stages are cpu, gpu, multi-gpu\."):
        named("tpu")


def test_what_is_up_for_other_pools_or_on_another_address_stays_as_it_is(tmp_path: Path) -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    wanted(tmp_path).save()
    write_json(tmp_path / "up.json", {"supervisor": me.record(), "services": {}, "early_ends": {}})

    with pytest.raises(ConfigError, match=r"pools are control, theirs control, voltx-cpu"):
        bring_up(quiet, serve=("control",), environ=environ(tmp_path))
    with pytest.raises(ConfigError, match=r"shall listen on 0\.0\.0\.0, theirs does on 127"):
        bring_up(quiet, listen="0.0.0.0", environ=environ(tmp_path))
