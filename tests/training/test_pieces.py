"""Work in pieces: nothing is done twice, and what cannot be asked to stop is not waited for."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from voltx_core.errors import Interrupted
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.pieces import Pieces, aside, chunked, watched
from voltx_core.training.session import StopFlag


def session(folder: Path, *, interval_s: float = 1e9) -> Any:
    """A new process on the same folder."""
    return SimpleNamespace(checkpoints=Checkpoints(folder, interval_s=interval_s), stop=StopFlag())


def work(run: Any, items: int, *, stop_at: int | None = None) -> tuple[list[int], Pieces]:
    """Square numbers two at a time; which were really squared."""
    squared: list[int] = []
    with Pieces(run, "squares") as pieces:
        for chunk in chunked(range(pieces.done, items), 2):
            if stop_at in chunk:
                run.stop.set("told to")
            squared += chunk
            pieces.add(
                len(chunk), {"squares": torch.tensor(chunk) ** 2}, [str(n * n) for n in chunk]
            )
    return squared, pieces


def test_a_process_that_takes_over_does_only_the_rest(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="told to"):
        work(session(tmp_path), 9, stop_at=4)
    squared, pieces = work(session(tmp_path), 9)
    assert squared == [6, 7, 8]
    found = pieces.tensor("squares")
    assert found is not None
    assert found.tolist() == [n * n for n in range(9)]
    assert pieces.rows == [str(n * n) for n in range(9)]


def test_a_killed_process_loses_what_came_after_the_last_piece(tmp_path: Path) -> None:
    run = session(tmp_path, interval_s=0.0)
    pieces = Pieces(run, "squares")
    pieces.add(2, rows=["0", "1"])
    pieces.add(2, rows=["4", "9"])
    run.checkpoints.interval_s = 1e9
    pieces.add(2, rows=["16", "25"])  # never saved: the process is gone
    run.checkpoints.flush()
    again = Pieces(session(tmp_path), "squares")
    assert (again.done, again.rows) == (4, ["0", "1", "4", "9"])


def test_each_piece_holds_only_what_is_new(tmp_path: Path) -> None:
    run = session(tmp_path, interval_s=0.0)
    work(run, 6)
    run.checkpoints.flush()
    saved = [run.checkpoints.restore(f"squares-{n}") for n in range(3)]
    assert [piece and piece.meta["rows"] for piece in saved] == [
        ["0", "1"],
        ["4", "9"],
        ["16", "25"],
    ]


def test_work_that_costs_less_than_a_save_is_not_saved(tmp_path: Path) -> None:
    run = session(tmp_path)
    work(run, 4)
    assert run.checkpoints.sequences() == []


def test_an_error_saves_nothing_that_may_be_its_cause(tmp_path: Path) -> None:
    run = session(tmp_path)

    def fail() -> None:
        with Pieces(run, "squares") as pieces:
            pieces.add(1, rows=["0"])
            raise ValueError("a bad item")

    with pytest.raises(ValueError, match="a bad item"):
        fail()
    assert run.checkpoints.sequences() == []


def test_nothing_done_gives_nothing(tmp_path: Path) -> None:
    pieces = Pieces(session(tmp_path), "squares")
    assert (pieces.done, pieces.rows, pieces.tensor("squares")) == (0, [], None)


def test_a_call_that_cannot_be_asked_to_stop_is_left_behind() -> None:
    stop, end = StopFlag(), threading.Event()
    threading.Timer(0.2, stop.set, ["told to"]).start()
    with pytest.raises(Interrupted, match="told to"):
        aside(stop, end.wait)  # would never end
    end.set()


def test_what_a_call_aside_reads_ends_when_a_stop_is_asked_for() -> None:
    stop, read = StopFlag(), []

    def forever() -> Iterator[int]:
        for number in itertools.count():
            if number == 3:
                stop.set("told to")
            yield number

    def call() -> None:
        for number in watched(stop, forever()):
            read.append(number)

    with pytest.raises(Interrupted, match="told to"):
        aside(stop, call)
    assert read == [0, 1, 2]


def test_what_a_call_aside_returns_and_raises_comes_back() -> None:
    def fail() -> int:
        raise KeyError("no such thing")

    assert aside(StopFlag(), lambda: 6 * 7) == 42
    with pytest.raises(KeyError, match="no such thing"):
        aside(StopFlag(), fail)
