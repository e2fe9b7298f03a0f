"""How long the dispatcher goes on, and when it gives up."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed

from tasks.dispatch import (
    ATTEMPTS,
    BACK_OFF_S,
    CRASH_PAUSE_S,
    CRASHES,
    INTERRUPTED,
    REFUSED,
    persist,
    reason,
)
from voltx_core.errors import StageError, StoreError
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord
from voltx_core.store import ArtifactStore, open_store


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    return RunRecord(ArtifactStore(open_store(str(tmp_path / "store")), tmp_path / "cache"), "run")


def going(states: Sequence[State[Any]]) -> tuple[Callable[[int], State[Any]], list[int]]:
    """Attempts that end as listed, and the numbers that were asked for."""
    asked: list[int] = []

    def attempt(number: int) -> State[Any]:
        asked.append(number)
        return states[number - 1]

    return attempt, asked


def carry(
    states: Sequence[State[Any]],
    record: RunRecord,
    places: Sequence[int] = (),
    age_s: float = 0.0,
) -> tuple[State[Any], list[int], list[float]]:
    attempt, asked = going(states)
    slept: list[float] = []
    spec = graph.specs()["data"]
    left = iter(places)
    end = persist(
        spec,
        attempt,
        note=lambda **facts: record.stage(spec.name, **facts),
        reached=lambda: next(left, 0),
        sleep=slept.append,
        age=lambda _: age_s,
    )
    return end, asked, slept


def test_a_stage_that_is_killed_is_tried_again_at_once_and_later_after_pauses(
    record: RunRecord,
) -> None:
    killed = [Crashed(message="killed")] * 5

    state, asked, slept = carry([*killed, Completed()], record)

    assert state.is_completed()
    assert asked == [1, 2, 3, 4, 5, 6]
    assert slept == [*CRASH_PAUSE_S, CRASH_PAUSE_S[-1]]
    assert slept[0] == 0.0


def test_a_restarted_parent_neither_pauses_after_nor_counts_attempts_of_its_earlier_life(
    record: RunRecord,
) -> None:
    killed = [Crashed(message="killed")] * (CRASHES + 1)

    state, asked, slept = carry([*killed, Completed()], record, age_s=60.0)

    assert state.is_completed()
    assert asked == list(range(1, CRASHES + 3))
    assert slept == []


def test_a_stage_that_fails_is_tried_again_after_a_pause(record: RunRecord) -> None:
    failures = [Failed(message="first"), Failed(message="second")]

    _, asked, slept = carry([*failures, Completed()], record)

    assert asked == [1, 2, 3]
    assert slept == list(BACK_OFF_S)


def test_a_stage_that_comes_further_every_time_may_crash_any_number_of_times(
    record: RunRecord,
) -> None:
    crashes = [Crashed(message="the machine is gone")] * 8

    state, asked, _ = carry([*crashes, Completed()], record, places=range(1, 9))

    assert state.is_completed()
    assert asked == list(range(1, 10))


def test_a_stage_that_crashes_in_one_place_is_given_up(record: RunRecord) -> None:
    crashes = [Crashed(message="out of memory")] * (CRASHES + 1)

    with pytest.raises(StageError, match=f"failed {CRASHES} times with the same error"):
        carry(crashes, record, places=[4, *[9] * CRASHES])


def test_a_store_that_is_away_does_not_end_the_stage() -> None:
    def away(**_facts: str) -> None:
        raise StoreError("no answer from the store")

    attempt, asked = going([Crashed(message="killed"), Completed()])
    state = persist(
        graph.specs()["data"],
        attempt,
        note=away,
        reached=away,
        sleep=lambda _: None,
        age=lambda _: 0.0,
    )

    assert state.is_completed()
    assert asked == [1, 2]


def test_wrong_input_is_not_tried_again(record: RunRecord) -> None:
    states = [Failed(name=REFUSED, message="own.jsonl:2: not valid JSON"), Completed()]

    with pytest.raises(StageError, match=r"1\.0 data refuses its input: own\.jsonl:2"):
        carry(states, record)

    assert record.of("data")["state"] == "failed"


def test_interruptions_are_nobodys_fault_and_never_counted(record: RunRecord) -> None:
    taken = Crashed(name=INTERRUPTED, message="SIGTERM")

    state, asked, slept = carry([taken] * 10 + [Completed()], record)

    assert state.is_completed()
    assert asked == list(range(1, 12))
    assert slept == []


def test_the_same_error_three_times_ends_with_what_to_do(record: RunRecord) -> None:
    error = Failed(message="Flow run encountered an exception: StageError: disk is full")

    with pytest.raises(StageError, match=r"(?s)3 times with the same error:.disk is full.*change"):
        carry([error] * ATTEMPTS, record)

    assert record.of("data")["state"] == "failed"
    assert record.of("data")["why"] == "disk is full"


def test_different_errors_are_all_told(record: RunRecord) -> None:
    errors = [Failed(message="first"), Failed(message="second"), Failed(message="third")]

    with pytest.raises(
        StageError, match=r"(?s)different errors:.*1\. first.*2\. second.*3\. third"
    ):
        carry(errors, record)


def test_a_cancelled_stage_is_not_tried_again(record: RunRecord) -> None:
    state, asked, _ = carry([Cancelled(message="by the user")], record)

    assert state.is_cancelled()
    assert asked == [1]
    assert record.of("data")["state"] == "cancelled"


def test_reasons_lose_the_frames_around_them() -> None:
    framed = "Task run encountered an exception StageError: no disk"
    assert reason(Failed(message=framed)) == "no disk"
    assert reason(Crashed(message="Process exited with status code: -9")) == (
        "Process exited with status code: -9"
    )
