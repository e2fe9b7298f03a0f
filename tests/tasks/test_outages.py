"""Calls that outlive a server that is down."""

import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from tasks.outages import LONGEST_PAUSE_S, STORE_PAUSES_S, insistently, patiently
from voltx_core.errors import StoreError


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """Answers with the listed status codes, then with 200."""
    codes: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(codes.pop(0) if codes else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", codes
    listening.shutdown()
    listening.server_close()


def ask(url: str) -> int:
    response = httpx.get(url)
    try:
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise PrefectHTTPStatusError.from_httpx_error(error) from error
    return response.status_code


def test_server_errors_are_waited_out_with_growing_pauses(server: tuple[str, list[int]]) -> None:
    url, codes = server
    codes += [503] * 7
    slept: list[float] = []

    assert patiently(lambda: ask(url), sleep=slept.append) == 200
    assert slept == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_our_own_mistakes_are_raised_at_once(server: tuple[str, list[int]]) -> None:
    url, codes = server
    codes += [422]

    with pytest.raises(PrefectHTTPStatusError):
        patiently(lambda: ask(url), sleep=lambda _: pytest.fail("waited"))


def test_a_server_that_is_not_there_is_waited_for() -> None:
    pauses = iter([None, None, KeyError("enough")])

    def sleep(_: float) -> None:
        if (end := next(pauses)) is not None:
            raise end

    with pytest.raises(KeyError, match="enough"):
        patiently(lambda: ask("http://127.0.0.1:1"), sleep=sleep)


def test_a_store_that_fails_now_and_then_is_asked_again() -> None:
    answers = [StoreError("slow down"), StoreError("slow down"), "manifest"]

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    slept: list[float] = []
    assert insistently(call, sleep=slept.append) == "manifest"
    assert slept == list(STORE_PAUSES_S[:2])


def test_a_store_that_fails_every_time_is_an_error_in_the_end() -> None:
    def call() -> str:
        raise StoreError("no such bucket")

    slept: list[float] = []
    with pytest.raises(StoreError, match="no such bucket"):
        insistently(call, sleep=slept.append)
    assert slept == list(STORE_PAUSES_S)
