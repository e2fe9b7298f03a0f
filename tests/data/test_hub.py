"""Fetching from a stand-in of the hub on loopback, with faults on purpose."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from voltx_core.data import hub
from voltx_core.data.suites import available_suites, load_suite
from voltx_core.errors import DataError

pytest.importorskip("huggingface_hub")

COMMIT = "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544"
REPOSITORY = "someone/corpus"


class StandIn:
    """A hub with one data set.

    Attributes:
        files: name to bytes; those ending in ``.jsonl`` are large files, with a sha256.
        gated: refuse everything until terms are accepted.
        cut: names whose first answer ends after half of the bytes.
        stall: names whose first answer waits there, with ``stalled`` set, for ``released``.
        lies: names that are announced with another digest than they have.
        asked: (method, path, Range header) of every request.
    """

    def __init__(self) -> None:
        self.repository = REPOSITORY
        self.files: dict[str, bytes] = {}
        self.gated = False
        self.cut: set[str] = set()
        self.stall: set[str] = set()
        self.stalled, self.released = threading.Event(), threading.Event()
        self.lies: set[str] = set()
        self.asked: list[tuple[str, str, str | None]] = []

    def siblings(self) -> list[dict[str, Any]]:
        rows = []
        for name, data in self.files.items():
            shown = data + b"!" if name in self.lies else data
            blob = hashlib.sha1(f"blob {len(data)}\0".encode() + shown).hexdigest()
            row: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
            if name.endswith(".jsonl"):
                sha256 = hashlib.sha256(shown).hexdigest()
                row["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 130}
            rows.append(row)
        return rows

    def downloads(self) -> list[str]:
        return [path.rsplit("/", 1)[1] for method, path, _ in self.asked if method == "GET"][1:]


def handler(there: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = self.path.split("?")[0]
            there.asked.append((self.command, path, self.headers.get("Range")))
            if there.gated:
                self._refuse(403, "GatedRepo")
            elif there.repository not in path:
                self._refuse(404, "RepoNotFound")
            elif path.startswith("/api/"):
                revision = path.rsplit("/revision/", 1)[-1]
                if revision not in (COMMIT, "main"):
                    self._refuse(404, "RevisionNotFound")
                    return
                siblings = there.siblings()
                body = {"id": there.repository, "sha": COMMIT, "siblings": siblings}
                self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
            else:
                self._file(path.split(f"/resolve/{COMMIT}/")[1])

        def _file(self, name: str) -> None:
            data, first = there.files[name], 0
            facts = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if asked := self.headers.get("Range"):
                first = int(asked.removeprefix("bytes=").split("-")[0])
                facts["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            get = self.command == "GET"
            cut, stall = get and name in there.cut, get and name in there.stall
            there.cut.discard(name if get else "")
            there.stall.discard(name if get else "")
            self._send(206 if first else 200, data[first:], facts, cut=cut or stall, stall=stall)

        def _refuse(self, code: int, error: str) -> None:
            self._send(code, b"{}", {"X-Error-Code": error, "X-Error-Message": "no"})

        def _send(
            self,
            code: int,
            body: bytes,
            facts: dict[str, str],
            *,
            cut: bool = False,
            stall: bool = False,
        ) -> None:
            self.send_response(code)
            for key, value in {**facts, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[: len(body) // 2] if cut else body)
            if stall:
                there.stalled.set()
                there.released.wait(60)
            self.close_connection = self.close_connection or cut

    return Handler


@pytest.fixture
def there(monkeypatch) -> Iterator[StandIn]:
    stand_in = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(stand_in))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def corpus(there) -> StandIn:
    rows = b"".join(b'{"content": "value = %d"}\n' % n for n in range(9_000))
    there.files = {"train.jsonl": rows, "part/a.parquet": b"PAR1" * 50, "README.md": b"words"}
    return there


def test_the_files_wanted_arrive_verified_and_are_written_down(corpus, tmp_path):
    told: list[tuple[int, int]] = []
    fetched = hub.fetch(REPOSITORY, tmp_path, tell=lambda *done: told.append(done))
    home = tmp_path / "someone--corpus"
    assert [file.name for file in fetched.files] == ["train.jsonl", "part/a.parquet"]
    assert (fetched.revision, fetched.repository) == (COMMIT, REPOSITORY)
    for file in fetched.files:
        assert (home / file.name).read_bytes() == corpus.files[file.name]
        assert hub.check(home, file) is None
    assert told[-1][0] == told[-1][1] > 0
    assert list(hub.records(tmp_path)) == [(home, fetched)]


def test_what_is_here_and_intact_is_not_fetched_twice_and_what_is_damaged_is(corpus, tmp_path):
    fetched = hub.fetch(REPOSITORY, tmp_path)
    home = tmp_path / "someone--corpus"
    corpus.asked.clear()
    assert hub.fetch(REPOSITORY, tmp_path) == fetched
    assert corpus.downloads() == []
    (home / "train.jsonl").write_bytes(b"x" * len(corpus.files["train.jsonl"]))
    assert hub.check(home, fetched.files[0]) == "the sha256 differs"
    corpus.asked.clear()
    hub.fetch(REPOSITORY, tmp_path)
    assert corpus.downloads() == ["train.jsonl"]
    assert hub.check(home, fetched.files[0]) is None


def large(there: StandIn) -> int:
    """Give the hub a file of more than one of huggingface_hub's chunks of 10 MB; its size."""
    there.files = {"train.jsonl": b'{"content": "value"}\n' * 1_200_000}
    return len(there.files["train.jsonl"])


def resumed_at(there: StandIn) -> list[int]:
    asked = [wanted for method, _, wanted in there.asked if method == "GET" and wanted]
    return [int(wanted.removeprefix("bytes=").split("-")[0]) for wanted in asked]


def test_a_download_that_was_cut_goes_on_where_it_stopped(there, tmp_path):
    half = large(there) // 2
    there.cut = {"train.jsonl"}
    fetched = hub.fetch(REPOSITORY, tmp_path)
    assert [0 < at <= half for at in resumed_at(there)] == [True]
    assert hub.check(tmp_path / "someone--corpus", fetched.files[0]) is None


def test_a_download_whose_process_was_killed_goes_on_where_it_stopped(there, tmp_path):
    size = large(there)
    there.stall = {"train.jsonl"}
    program = "import sys; from pathlib import Path; from voltx_core.data import hub; "
    program += f"hub.fetch({REPOSITORY!r}, Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    try:
        assert there.stalled.wait(60)
        for _ in range(600):  # what was sent is on its way to the disk
            parts = list(tmp_path.rglob(".*.part"))
            if parts and parts[0].stat().st_size >= 10_000_000:
                break
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
        there.released.set()
    there.asked.clear()
    fetched = hub.fetch(REPOSITORY, tmp_path)
    assert [0 < at < size for at in resumed_at(there)] == [True]
    assert hub.check(tmp_path / "someone--corpus", fetched.files[0]) is None


@pytest.mark.parametrize("name", ["train.jsonl", "part/a.parquet"])
def test_bytes_that_are_not_what_the_hub_states_are_refused_and_deleted(corpus, tmp_path, name):
    corpus.lies = {name}
    with pytest.raises(DataError, match="not what someone/corpus says it holds"):
        hub.fetch(REPOSITORY, tmp_path)
    assert not (tmp_path / "someone--corpus" / name).exists()


@pytest.mark.usefixtures("corpus")
def test_files_fetched_by_another_pattern_stay_in_the_record(tmp_path):
    hub.fetch(REPOSITORY, tmp_path, patterns=["*.jsonl"])
    fetched = hub.fetch(REPOSITORY, tmp_path, patterns=["part/*"])
    assert {file.name for file in fetched.files} == {"train.jsonl", "part/a.parquet"}
    assert all(hub.check(tmp_path / "someone--corpus", file) is None for file in fetched.files)


@pytest.mark.usefixtures("corpus")
def test_another_set_with_common_file_names_is_not_taken_for_apps(tmp_path):
    hub.fetch(REPOSITORY, tmp_path)
    assert available_suites(tmp_path) == []


def test_a_gated_set_says_whose_terms_to_accept_and_where(corpus, tmp_path):
    corpus.gated = True
    with pytest.raises(DataError, match=r"gated.*huggingface.co/datasets/someone/corpus.*HF_TOKEN"):
        hub.fetch(REPOSITORY, tmp_path)


@pytest.mark.usefixtures("corpus")
def test_unknown_sets_revisions_and_files_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="There is no data set 'nonsense'"):
        hub.fetch("nonsense", tmp_path)
    with pytest.raises(DataError, match="knows no data set other/one"):
        hub.fetch("other/one", tmp_path)
    with pytest.raises(DataError, match="no revision 'v9'"):
        hub.fetch(REPOSITORY, tmp_path, revision="v9")
    with pytest.raises(DataError, match=r"no file like \*\.csv.*It has train\.jsonl"):
        hub.fetch(REPOSITORY, tmp_path, patterns=["*.csv"])


def test_a_hub_out_of_reach_is_named_with_what_to_check(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9.*Check the network and HF_ENDPOINT"):
        hub.fetch("humaneval", tmp_path)


def test_a_damaged_record_says_that_nothing_is_lost(tmp_path):
    (tmp_path / hub.RECORD).write_text('{"name": 1}')
    with pytest.raises(DataError, match="not a record of fetched data"):
        hub.read_record(tmp_path)


def test_a_set_published_as_parquet_is_found_by_its_readers(there, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {
        "task_id": ["HumanEval/0"],
        "prompt": ["def double(x):\n"],
        "canonical_solution": ["    return 2 * x\n"],
        "test": ["def check(candidate):\n    assert candidate(2) == 4\n"],
        "entry_point": ["double"],
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "made.parquet")
    there.repository = hub.SETS["humaneval"].repository
    there.files = {
        "openai_humaneval/test-00000-of-00001.parquet": (tmp_path / "made.parquet").read_bytes()
    }
    fetched = hub.fetch("humaneval", tmp_path / "data")
    assert [file.name for file in fetched.files][-1] == "HumanEval.jsonl"
    problems = load_suite("humaneval", tmp_path / "data")
    assert [problem.solution for problem in problems] == ["def double(x):\n    return 2 * x\n"]


def test_stories_fetched_from_the_hub_are_read_in_their_two_parts(there, tmp_path, monkeypatch):
    from voltx_core.vincigpt.texts import file_texts

    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pinned = replace(hub.SETS["tinystories"], revision=COMMIT)
    monkeypatch.setitem(hub.SETS, "tinystories", pinned)
    there.repository = pinned.repository
    for part, story in (("train", "One day a cat slept."), ("validation", "The dog woke up.")):
        parquet.write_table(pyarrow.table({"text": [story]}), tmp_path / part)
        there.files[f"data/{part}-00000-of-00001.parquet"] = (tmp_path / part).read_bytes()
    hub.fetch("tinystories", tmp_path / "data")
    found = {text.part: text.content for text in file_texts(tmp_path / "data" / "tinystories")}
    assert found == {"train": "One day a cat slept.", "validation": "The dog woke up."}
