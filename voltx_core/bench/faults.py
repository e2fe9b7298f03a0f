"""A proxy before an S3 server that does wrong what servers and networks do wrong.

Put it between a store and its server, and the store meets server errors, slow-downs, cut
connections, damaged bytes, expired credentials and wrong clocks, while the server's data stays
whole. Which request is spoiled, and how, is said by a ``FaultPlan``::

    plan = FaultPlan(seed=1, rates={Fault.SLOW_DOWN: 0.02, Fault.CUT_DOWNLOAD: 0.02})
    with FaultyProxy("http://127.0.0.1:9000", plan) as proxy:
        store = open_store("s3://bucket/prefix", endpoint_url=proxy.url)
        ...
    print(proxy.injected)  # Counter({Fault.SLOW_DOWN: 12, ...})
"""

import http.client
import http.server
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit


class Fault(StrEnum):
    """What can go wrong with one request."""

    SERVER_ERROR = "server_error"
    """500 InternalError; nothing reached the server."""
    SLOW_DOWN = "slow_down"
    """503 SlowDown; nothing reached the server."""
    DELAY = "delay"
    """Answered rightly, ``FaultPlan.delay_s`` late."""
    CUT_UPLOAD = "cut_upload"
    """The connection ends in the middle of the request's body; nothing reached the server."""
    LOST_ANSWER = "lost_answer"
    """The server did what was asked; the connection ends before its answer."""
    CUT_DOWNLOAD = "cut_download"
    """The connection ends in the middle of the answer's body."""
    SHORT_DOWNLOAD = "short_download"
    """An object without its second half, in an answer that is well formed."""
    FLIPPED_UPLOAD = "flipped_upload"
    """One bit of an uploaded body flips on the way to the server."""
    FLIPPED_DOWNLOAD = "flipped_download"
    """One bit of an object flips on the way from the server."""
    EXPIRED_CREDENTIALS = "expired_credentials"
    """400 ExpiredToken."""
    SKEWED_CLOCK = "skewed_clock"
    """403 RequestTimeTooSkewed, with the server's clock ``FaultPlan.skew_s`` ahead."""
    FORBIDDEN = "forbidden"
    """403 AccessDenied."""
    FULL = "full"
    """507 InsufficientStorage for whatever brings bytes."""
    IGNORED_CONDITION = "ignored_condition"
    """The request goes on without If-None-Match, as some servers read it."""
    IGNORED_RANGE = "ignored_range"
    """The request goes on without Range."""
    ODD_ETAG = "odd_etag"
    """An upload is answered with an ETag that is no digest, as under encryption."""


TRANSIENT = (
    Fault.SERVER_ERROR,
    Fault.SLOW_DOWN,
    Fault.DELAY,
    Fault.CUT_UPLOAD,
    Fault.LOST_ANSWER,
    Fault.CUT_DOWNLOAD,
    Fault.SHORT_DOWNLOAD,
    Fault.FLIPPED_UPLOAD,
    Fault.FLIPPED_DOWNLOAD,
)
"""Faults that pass when the request is sent again: work should go on through them."""

_UPLOADS = {Fault.CUT_UPLOAD, Fault.FLIPPED_UPLOAD, Fault.FULL, Fault.ODD_ETAG}
_DOWNLOADS = {Fault.CUT_DOWNLOAD, Fault.SHORT_DOWNLOAD, Fault.FLIPPED_DOWNLOAD}
_OF_ANSWERS = _DOWNLOADS | {Fault.LOST_ANSWER, Fault.ODD_ETAG}
_REFUSALS = {
    Fault.SERVER_ERROR: (500, "InternalError"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.EXPIRED_CREDENTIALS: (400, "ExpiredToken"),
    Fault.SKEWED_CLOCK: (403, "RequestTimeTooSkewed"),
    Fault.FORBIDDEN: (403, "AccessDenied"),
    Fault.FULL: (507, "InsufficientStorage"),
}
_HOP = {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}
_UPSTREAM_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the proxy saw it.

    Attributes:
        method: Of HTTP.
        path: With the query.
        sent: Bytes of its body.
        received: Bytes of the body of the server's good answer; None while there is none.
    """

    method: str
    path: str
    sent: int = 0
    received: int | None = None

    @property
    def of_object(self) -> bool:
        """Whether it is for an object or a part of one, not for a bucket."""
        return self.path.split("?")[0].strip("/").count("/") >= 1

    def may_meet(self, fault: Fault) -> bool:
        """Whether the fault can happen to such a request at this point."""
        if (self.received is not None) != (fault in _OF_ANSWERS):
            return False
        if fault in _UPLOADS:
            return self.method == "PUT" and self.of_object and self.sent > 1
        if fault in _DOWNLOADS:
            whole = "?" not in self.path or fault == Fault.CUT_DOWNLOAD
            return self.method == "GET" and whole and (self.received or 0) > 1
        return True


@dataclass(slots=True)
class _Order:
    fault: Fault
    left: int | None
    method: str
    containing: str


@dataclass
class FaultPlan:
    """Which requests are spoiled, and how; may be changed while the proxy runs.

    Args:
        seed: Of the draws. With several connections the order of requests, and so which of them
            is hit, is up to the threads of the client.
        rates: Probability of each fault for a request that it can happen to. They are tried in
            this order; a request meets at most one before it reaches the server and one after.
        in_a_row: Most drawn faults that the same request meets before it is let through once:
            what passes does pass, whatever the draws.
        delay_s: How late a delayed answer is.
        skew_s: How far the server's clock is ahead when it says so.
    """

    seed: int = 0
    rates: Mapping[Fault, float] = field(default_factory=dict)
    in_a_row: int = 3
    delay_s: float = 0.2
    skew_s: float = 3600.0

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._row: Counter[tuple[str, str]] = Counter()
        self._orders: list[_Order] = []
        self._lock = threading.Lock()

    @classmethod
    def storm(cls, seed: int, rate: float) -> Self:
        """Every transient fault with equal probability, at most ``rate`` in all."""
        return cls(seed=seed, rates=dict.fromkeys(TRANSIENT, rate / len(TRANSIENT)))

    def order(
        self, fault: Fault, times: int | None = 1, *, method: str = "", containing: str = ""
    ) -> None:
        """Spoil the next requests that the fault can happen to.

        Args:
            fault: What happens to them.
            times: How many; None is every one until ``clear``.
            method: Only requests of this HTTP method.
            containing: Only requests whose path or query contains this.
        """
        with self._lock:
            self._orders.append(_Order(fault, times, method, containing))

    def clear(self) -> None:
        """Let everything through from now on."""
        with self._lock:
            self._orders.clear()
            self.rates = {}

    def outstanding(self) -> int:
        """How many ordered faults have not happened yet; endless orders do not count."""
        with self._lock:
            return sum(order.left or 0 for order in self._orders)

    def take(self, request: Request) -> Fault | None:
        """The fault that this request meets now; what was ordered comes before what is drawn."""
        with self._lock:
            for order in self._orders:
                wanted = order.method in ("", request.method) and order.containing in request.path
                if order.left != 0 and wanted and request.may_meet(order.fault):
                    if order.left is not None:
                        order.left -= 1
                    return order.fault
            same = (request.method, request.path)
            if self._row[same] < self.in_a_row:
                for fault, rate in self.rates.items():
                    if request.may_meet(fault) and self._draw.random() < rate:
                        self._row[same] += 1
                        return fault
            if request.received is not None:
                del self._row[same]
        return None


class FaultyProxy:
    """An HTTP server on a free port of loopback that forwards to an S3 server, with faults.

    As a context manager it is closed at the end.

    Args:
        endpoint: Address of the S3 server, ``http://host:port``.
        plan: What is spoiled.

    Attributes:
        url: Address of the proxy: give it to the store instead of the server's.
        injected: How often each fault happened.
        requests: All that came, in order, spoiled or not.
    """

    def __init__(self, endpoint: str, plan: FaultPlan) -> None:
        self.plan = plan
        self.injected: Counter[Fault] = Counter()
        self.requests: list[Request] = []
        self._host = urlsplit(endpoint).netloc
        self._lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                proxy._handle(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="faulty-proxy", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; connections that are open end with their clients."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, request: Request) -> Fault | None:
        fault = self.plan.take(request)
        if fault is not None:
            with self._lock:
                self.injected[fault] += 1
        return fault

    def _handle(self, client: http.server.BaseHTTPRequestHandler) -> None:
        length = int(client.headers.get("Content-Length", 0))
        request = Request(client.command, client.path, length)
        with self._lock:
            place = len(self.requests)
            self.requests.append(request)
        fault = self._take(request)
        if fault == Fault.CUT_UPLOAD:
            client.rfile.read(length // 2)
            client.close_connection = True
            return
        body = client.rfile.read(length)
        if len(body) < length:  # the client died over it
            client.close_connection = True
            return
        if fault in _REFUSALS:
            self._refuse(client, *_REFUSALS[fault])
            return
        headers = {k: v for k, v in client.headers.items() if k.lower() not in _HOP}
        match fault:
            case Fault.DELAY:
                time.sleep(self.plan.delay_s)
            case Fault.FLIPPED_UPLOAD:
                body = _flip(body)
            case Fault.IGNORED_CONDITION:
                headers.pop("If-None-Match", None)
            case Fault.IGNORED_RANGE:
                headers.pop("Range", None)
        status, fields, content = self._ask(request, body, headers)
        if status < 300:
            self.requests[place] = request = replace(request, received=len(content))
            fault = self._take(request)
        self._answer(client, status, fields, content, fault)

    def _ask(
        self, request: Request, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """What the server says; 502 when it cannot be reached, as gateways say."""
        server = http.client.HTTPConnection(self._host, timeout=_UPSTREAM_TIMEOUT_S)
        try:
            # It may refuse before it has read the whole body.
            with suppress(BrokenPipeError, ConnectionResetError):
                server.request(request.method, request.path, body or None, headers)
            answer = server.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except (OSError, http.client.HTTPException):
            return 502, {}, b""
        finally:
            server.close()

    def _refuse(self, client: http.server.BaseHTTPRequestHandler, status: int, code: str) -> None:
        ahead_s = self.plan.skew_s if code == "RequestTimeTooSkewed" else 0.0
        fields = {
            "Content-Type": "application/xml",
            "Date": formatdate(time.time() + ahead_s, usegmt=True),
        }
        content = f"<Error><Code>{code}</Code><Message>Please try again.</Message></Error>".encode()
        self._answer(client, status, fields, content, None)

    def _answer(
        self,
        client: http.server.BaseHTTPRequestHandler,
        status: int,
        fields: dict[str, str],
        content: bytes,
        fault: Fault | None,
    ) -> None:
        head = client.command == "HEAD"
        length = fields.get("Content-Length", "0") if head else str(len(content))
        match fault:
            case Fault.LOST_ANSWER:
                client.close_connection = True
                return
            case Fault.CUT_DOWNLOAD:
                content = content[: len(content) // 2]
                client.close_connection = True
            case Fault.SHORT_DOWNLOAD:
                content = content[: len(content) // 2]
                length = str(len(content))
            case Fault.FLIPPED_DOWNLOAD:
                content = _flip(content)
            case Fault.ODD_ETAG:
                fields |= {"ETag": '"not-a-digest"'}
        client.send_response_only(status)
        for name, value in fields.items():
            if name.lower() not in _HOP:
                client.send_header(name, value)
        client.send_header("Content-Length", "0" if status == 204 else length)
        client.end_headers()
        client.wfile.write(b"" if head else content)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients that are killed or give up leave broken connections: no news here."""


def _flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
