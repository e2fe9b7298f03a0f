"""The background mirror: it never stops, delays or kills what it serves."""

import contextvars
import logging
import threading

import pytest

from voltx_core.store import Mirror


def test_work_is_done_in_order_in_another_thread() -> None:
    done: list[tuple[int, int]] = []
    with Mirror(capacity=10) as mirror:
        for number in range(10):
            mirror.submit(lambda number=number: done.append((number, threading.get_ident())))
    assert [number for number, _ in done] == list(range(10))
    assert {thread for _, thread in done}.isdisjoint({threading.get_ident()})


def test_a_failure_is_kept_and_warned_about_and_later_work_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("the server is gone")

    mirror = Mirror()
    with caplog.at_level(logging.WARNING, logger="voltx_core.store.transfer"):
        mirror.submit(fail, "checkpoint 7")
        mirror.submit(lambda: done.append("next"))
        assert mirror.drain(30)
    assert done == ["next"]
    assert [str(error) for error in mirror.failures] == ["the server is gone"]
    assert "checkpoint 7" in caplog.text
    assert "the server is gone" in caplog.text


def test_a_full_queue_drops_the_oldest_and_never_blocks(caplog: pytest.LogCaptureFixture) -> None:
    gate, begun = threading.Event(), threading.Event()
    done: list[int] = []

    def wait_at_the_gate() -> None:
        begun.set()
        gate.wait(30)

    mirror = Mirror(capacity=2)
    mirror.submit(wait_at_the_gate)
    assert begun.wait(30)
    for number in range(5):  # returns although nothing can be done yet
        mirror.submit(lambda number=number: done.append(number), f"piece {number}")
    gate.set()
    assert mirror.drain(30)
    assert done == [3, 4]
    assert "piece 0" in caplog.text
    assert "piece 3" not in caplog.text


def test_draining_gives_up_after_its_time_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    mirror = Mirror()
    mirror.submit(lambda: gate.wait(30))
    assert not mirror.drain(0.01)
    assert "did not finish" in caplog.text
    gate.set()
    assert mirror.drain(30)


def test_work_sees_the_context_of_who_submitted_it() -> None:
    run = contextvars.ContextVar("run", default="none")
    seen: list[str] = []
    run.set("run 12")
    with Mirror() as mirror:
        mirror.submit(lambda: seen.append(run.get()))
    assert seen == ["run 12"]


def test_the_mirror_works_again_after_it_was_idle() -> None:
    done: list[int] = []
    mirror = Mirror()
    for number in range(3):
        mirror.submit(lambda number=number: done.append(number))
        assert mirror.drain(30)
    assert done == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name == "voltx-mirror"]


def test_a_mirror_without_room_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Mirror(capacity=0)
