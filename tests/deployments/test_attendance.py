"""When a worker that stays leaves, and what it says it cost."""

import os
import signal

import pytest

from deployments.attendance import Bell, Stay, attend, listening


class Clock:
    """Time that passes with every sleep, and what is busy when."""

    def __init__(self, busy: range, bell: Bell | None = None, ring_at: float = 1e9) -> None:
        self.now, self._busy = 0.0, busy
        self.bell, self._ring_at = bell or Bell(), ring_at

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self._ring_at:
            self.bell.ring()

    def busy(self) -> bool:
        return int(self.now) in self._busy

    def attend(self, idle_s: float | None, alive_until: float = 1e9) -> Stay:
        return attend(
            self.bell,
            busy=self.busy,
            alive=lambda: self.now < alive_until,
            idle_s=idle_s,
            sleep=self.sleep,
            clock=self,
        )


def test_a_worker_without_work_leaves_after_its_idle_time() -> None:
    stayed = Clock(busy=range(0)).attend(idle_s=60)
    assert (stayed.end, stayed.up_s, stayed.busy_s) == ("idle", 60, 0)


def test_idle_time_counts_from_the_end_of_the_last_work() -> None:
    stayed = Clock(busy=range(10, 110)).attend(idle_s=60)
    assert stayed.end == "idle"
    assert stayed.up_s == 108 + 60
    assert stayed.busy_s == 100


def test_without_an_idle_time_it_stays_until_it_is_asked() -> None:
    assert Clock(busy=range(0), ring_at=86_400).attend(idle_s=None) == Stay("asked", 86_400, 0)


def test_services_that_were_taken_down_end_the_stay() -> None:
    assert Clock(busy=range(0)).attend(idle_s=None, alive_until=10).end == "down"


def test_the_account_counts_idle_hours() -> None:
    assert Stay("idle", up_s=7200, busy_s=3600).cost_usd(2.5) == (5.0, 2.5)


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_rings_instead_of_ending_the_process(wish: signal.Signals) -> None:
    before = signal.signal(wish, signal.default_int_handler)  # whatever the tests run under
    try:
        with listening() as bell:
            os.kill(os.getpid(), wish)
            assert bell.rung
        assert signal.getsignal(wish) is signal.default_int_handler
    finally:
        signal.signal(wish, before)


def test_under_nohup_a_terminal_that_hangs_up_is_no_reason_to_leave() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with listening() as bell:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not bell.rung
    finally:
        signal.signal(signal.SIGHUP, before)
