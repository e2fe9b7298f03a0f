"""The faulty proxy: every fault happens as ordered, is counted, and what it forwards is whole."""

import http.client
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from voltx_core.bench.faults import TRANSIENT, Fault, FaultPlan, FaultyProxy, Request

BODY = bytes(range(256)) * 40


class Objects(http.server.BaseHTTPRequestHandler):
    """A server that keeps what is put and gives it back."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.kept["conditional"] = str(self.headers["If-None-Match"]).encode()
        self.send_response(200)
        self.send_header("ETag", '"digest"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        data = self.kept[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kept() -> dict[str, bytes]:
    return {"/bucket/object": BODY}


@pytest.fixture
def proxy(kept: dict[str, bytes]) -> Iterator[FaultyProxy]:
    handler = type("Handler", (Objects,), {"kept": kept})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with FaultyProxy(f"http://127.0.0.1:{server.server_port}", FaultPlan(delay_s=0.0)) as faulty:
        yield faulty
    server.shutdown()
    server.server_close()
    thread.join()


def ask(
    proxy: FaultyProxy,
    method: str = "GET",
    path: str = "/bucket/object",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_without_faults_everything_passes_unchanged(proxy: FaultyProxy, kept) -> None:
    assert ask(proxy, "PUT", "/bucket/new", BODY)[0] == 200
    assert kept["/bucket/new"] == BODY
    assert ask(proxy, path="/bucket/new")[:2] == (200, BODY)
    status, content, fields = ask(proxy, "HEAD")
    assert (status, content, fields["Content-Length"]) == (200, b"", str(len(BODY)))
    assert not proxy.injected
    assert [(r.method, r.sent) for r in proxy.requests] == [
        ("PUT", len(BODY)),
        ("GET", 0),
        ("HEAD", 0),
    ]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.SERVER_ERROR, 500, b"InternalError"),
        (Fault.SLOW_DOWN, 503, b"SlowDown"),
        (Fault.EXPIRED_CREDENTIALS, 400, b"ExpiredToken"),
        (Fault.SKEWED_CLOCK, 403, b"RequestTimeTooSkewed"),
        (Fault.FORBIDDEN, 403, b"AccessDenied"),
        (Fault.FULL, 507, b"InsufficientStorage"),
    ],
)
def test_refusals_never_reach_the_server(proxy: FaultyProxy, kept, fault, status, code) -> None:
    proxy.plan.order(fault)
    answer = ask(proxy, "PUT", "/bucket/new", BODY)
    assert answer[0] == status
    assert code in answer[1]
    assert "/bucket/new" not in kept
    assert proxy.injected == {fault: 1}
    assert ask(proxy, "PUT", "/bucket/new", BODY)[0] == 200


def test_an_upload_is_cut_before_it_reaches_the_server(proxy: FaultyProxy, kept) -> None:
    proxy.plan.order(Fault.CUT_UPLOAD)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(proxy, "PUT", "/bucket/new", BODY)
    assert "/bucket/new" not in kept


def test_a_lost_answer_is_lost_after_the_deed(proxy: FaultyProxy, kept) -> None:
    proxy.plan.order(Fault.LOST_ANSWER)
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(proxy, "PUT", "/bucket/new", BODY)
    assert kept["/bucket/new"] == BODY


def test_a_cut_download_breaks_and_a_short_one_does_not(proxy: FaultyProxy) -> None:
    proxy.plan.order(Fault.CUT_DOWNLOAD)
    with pytest.raises(http.client.IncompleteRead):
        ask(proxy)
    proxy.plan.order(Fault.SHORT_DOWNLOAD)
    assert ask(proxy)[1] == BODY[: len(BODY) // 2]


def test_one_bit_flips_and_only_one(proxy: FaultyProxy, kept) -> None:
    proxy.plan.order(Fault.FLIPPED_DOWNLOAD)
    proxy.plan.order(Fault.FLIPPED_UPLOAD)
    ask(proxy, "PUT", "/bucket/new", BODY)
    for damaged in (ask(proxy)[1], kept["/bucket/new"]):
        changed = [a ^ b for a, b in zip(damaged, BODY, strict=True) if a != b]
        assert changed == [1]
    assert ask(proxy)[1] == BODY


def test_traits_of_odd_servers_last_until_cleared(proxy: FaultyProxy, kept) -> None:
    proxy.plan.order(Fault.IGNORED_CONDITION, None, method="PUT")
    for _ in range(2):
        ask(proxy, "PUT", "/bucket/new", BODY, {"If-None-Match": "*"})
        assert kept["conditional"] == b"None"
    proxy.plan.clear()
    ask(proxy, "PUT", "/bucket/new", BODY, {"If-None-Match": "*"})
    assert kept["conditional"] == b"*"
    proxy.plan.order(Fault.ODD_ETAG)
    assert ask(proxy, "PUT", "/bucket/new", BODY)[2]["ETag"] == '"not-a-digest"'
    assert ask(proxy, "PUT", "/bucket/new", BODY)[2]["ETag"] == '"digest"'


def test_an_order_waits_for_a_request_that_it_can_happen_to(proxy: FaultyProxy) -> None:
    proxy.plan.order(Fault.SLOW_DOWN, containing="/other")
    proxy.plan.order(Fault.FLIPPED_DOWNLOAD)
    assert ask(proxy, "HEAD")[0] == 200
    assert proxy.plan.outstanding() == 2
    assert ask(proxy)[1] != BODY
    assert proxy.plan.outstanding() == 1
    assert ask(proxy, path="/bucket/other")[0] == 503
    assert proxy.injected == {Fault.FLIPPED_DOWNLOAD: 1, Fault.SLOW_DOWN: 1}


def test_a_server_that_is_gone_is_a_bad_gateway() -> None:
    with FaultyProxy("http://127.0.0.1:9", FaultPlan()) as before_nothing:
        assert ask(before_nothing)[0] == 502


def test_equal_seeds_draw_equal_faults() -> None:
    requests = [Request("PUT", f"/bucket/{n}", sent=10) for n in range(200)]

    def drawn(seed: int) -> list[Fault | None]:
        plan = FaultPlan.storm(seed, rate=0.3)
        return [plan.take(request) for request in requests]

    assert drawn(1) == drawn(1)
    hit = [fault for fault in drawn(1) if fault is not None]
    assert 20 < len(hit) < 60  # four of nine kinds can happen to a request before its answer
    assert set(hit) <= set(TRANSIENT)
    assert drawn(0) != drawn(1)


def test_a_drawn_fault_passes_after_a_few_in_a_row() -> None:
    plan = FaultPlan(rates={Fault.SLOW_DOWN: 1.0}, in_a_row=2)
    request = Request("GET", "/bucket/object")
    met = []
    for _ in range(2):
        met += [plan.take(request) for _ in range(3)]
        plan.take(replace(request, received=10))
    assert met == [Fault.SLOW_DOWN, Fault.SLOW_DOWN, None] * 2
