"""Uploads to a stand-in for the hub: what it does of the protocol, it does as the real one."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from voltx_core.errors import DataError, StoreError
from voltx_core.release.hub import push
from voltx_core.release.model_folder import LIST, SCHEMA_VERSION
from voltx_core.store.trees import scan

TOKEN = "hf_right"
LARGE = ".safetensors"


class StandIn:
    """One repository.

    Attributes:
        private: as it was made; None until it is.
        objects: large files by sha256.
        files: what was committed.
        message: of the last commit.
        sent: bytes of large files that arrived.
    """

    def __init__(self) -> None:
        self.url = ""
        self.private: bool | None = None
        self.objects: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.message = ""
        self.sent = 0


def handler(there: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def do_PUT(self) -> None:
            data = self._body()
            there.objects[hashlib.sha256(data).hexdigest()] = data
            there.sent += len(data)
            self._send(200, {})

        def do_GET(self) -> None:
            self._send(200, {"id": "me/model", "sha": "0" * 40, "siblings": []})

        def do_POST(self) -> None:
            body = self._body()
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, {"error": "Invalid credentials"})
            elif self.path == "/api/repos/create":
                wanted = json.loads(body)  # versions of the client say it in two ways
                there.private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
                self._send(200, {"url": f"{there.url}/me/model"})
            elif "/preupload/" in self.path:
                asked = json.loads(body)["files"]
                modes = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                    }
                    for file in asked
                ]
                self._send(200, {"files": modes})
            elif self.path.endswith("/info/lfs/objects/batch"):
                self._send(200, {"transfer": "basic", "objects": self._batch(json.loads(body))})
            elif "/commit/" in self.path:
                self._commit([json.loads(line) for line in body.splitlines()])
            else:
                self._send(200, {"valid": True})

        def _batch(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
            rows = []
            for wanted in asked["objects"]:
                row = {"oid": wanted["oid"], "size": wanted["size"]}
                if wanted["oid"] not in there.objects:  # one that is there needs no action
                    row["actions"] = {"upload": {"href": f"{there.url}/lfs/{wanted['oid']}"}}
                rows.append(row)
            return rows

        def _commit(self, lines: list[dict[str, Any]]) -> None:
            for line in lines:
                value = line["value"]
                if line["key"] == "header":
                    there.message = value["summary"]
                elif line["key"] == "file":
                    there.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    there.files[value["path"]] = there.objects[value["oid"]]
            oid = hashlib.sha1(json.dumps(sorted(there.files)).encode()).hexdigest()
            self._send(
                200,
                {
                    "success": True,
                    "commitOid": oid,
                    "commitUrl": f"{there.url}/me/model/commit/{oid}",
                },
            )

        def _send(self, code: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What setting HF_ENDPOINT does before a process starts: the client reads it on import."""
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    stand_in = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(stand_in))
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    point_at(stand_in.url, monkeypatch)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "code_encoder.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder / "README.md").write_text("# A model\n")
    listed = {
        "schema_version": SCHEMA_VERSION,
        "run": "20260102-1504",
        "artifacts": {},
        "files": {
            name: entry.model_dump() for name, entry in scan(folder).items() if name.endswith(LARGE)
        },
    }
    (folder / LIST).write_text(json.dumps(listed))
    return folder


def test_a_model_arrives_whole_under_its_run(there: StandIn, model: Path) -> None:
    url = push(model, "me/model")
    assert url.startswith(f"{there.url}/me/model/commit/")
    assert there.private is True
    assert there.message == "voltx run 20260102-1504"
    assert there.files == {path.name: path.read_bytes() for path in model.iterdir()}


def test_a_new_repository_is_public_only_when_it_is_asked_for(there: StandIn, model: Path) -> None:
    push(model, "me/model", public=True)
    assert there.private is False


def test_weights_that_are_there_are_not_sent_again(there: StandIn, model: Path) -> None:
    push(model, "me/model")
    sent = there.sent
    assert sent == (model / "code_encoder.safetensors").stat().st_size
    push(model, "me/model")
    assert there.sent == sent


def test_a_damaged_model_is_not_uploaded(there: StandIn, model: Path) -> None:
    (model / "code_encoder.safetensors").write_bytes(bytes(range(256)) * 39 + bytes(256))
    with pytest.raises(DataError, match=r"code_encoder.safetensors is damaged"):
        push(model, "me/model")
    assert there.private is None


def test_a_refused_token_is_told_from_a_hub_out_of_reach(
    there: StandIn, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(StoreError, match=r"HTTP 401.*may write there"):
        push(model, "me/model")
    assert there.files == {}
    point_at("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9.*Check the network and HF_ENDPOINT"):
        push(model, "me/model")


@pytest.mark.usefixtures("there")
def test_a_name_that_is_no_repository_is_refused(model: Path) -> None:
    with pytest.raises(DataError, match="name it OWNER/NAME"):
        push(model, "a/b/c")
