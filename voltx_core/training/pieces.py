"""Work that is not training, done chunk by chunk, so that a killed process loses little of it.

What is done is saved in pieces (``roles-0``, ``roles-1``, ...): a save writes what is new and not
everything again.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar

from voltx_core.errors import Interrupted
from voltx_core.training.session import Session, StopFlag

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

LOOK_S = 0.1
GRACE_S = 2.0
"""What a call aside is given to notice a stop by itself, in what Python it runs."""


class Pieces:
    """Results of chunks of work, restored where an earlier process left off.

    As a context manager it saves the rest at the end: when all is done, unless doing it again
    would cost less; and when the work is interrupted.

    Args:
        run: The stage: checkpoints and stop flag.
        scope: Names the checkpoints.

    Attributes:
        done: Items whose results are here.
    """

    def __init__(self, run: Session, scope: str) -> None:
        self._run, self._scope = run, scope
        self._tensors: list[Mapping[str, Tensor]] = []
        self._rows: list[Any] = []
        self.done = self._saved = 0
        self._fresh_tensors = self._fresh_rows = 0
        while (piece := run.checkpoints.restore(f"{scope}-{self._saved}")) is not None:
            self._keep(piece.tensors, piece.meta["rows"])
            self.done, self._saved = piece.step, self._saved + 1
        self._mark()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Interrupted):
            self.save(wait=True)
        elif kind is None and self._run.checkpoints.worthwhile():
            self.save()

    def add(
        self,
        items: int,
        tensors: "Mapping[str, Tensor] | None" = None,
        rows: Sequence[Any] = (),
    ) -> None:
        """Take in the result of the next ``items`` items; look at the clock and the stop flag.

        Args:
            items: How many.
            tensors: Results to be joined along their first dimension, the same names every time.
            rows: Results as JSON-ready values.

        Raises:
            Interrupted: A stop was asked for.
        """
        self._keep(tensors or {}, rows)
        self.done += items
        if self._run.checkpoints.due():
            self.save()
        self._run.stop.check()

    def save(self, *, wait: bool = False) -> None:
        """Save what is new, if anything is."""
        fresh, rows = self._tensors[self._fresh_tensors :], self._rows[self._fresh_rows :]
        if not fresh and not rows:
            return
        self._run.checkpoints.save(
            f"{self._scope}-{self._saved}", self.done, _joined(fresh), {"rows": rows}, wait=wait
        )
        self._saved += 1
        self._mark()

    def tensor(self, name: str) -> "Tensor | None":
        """All results of a name, joined; None when there are none."""
        return _joined(self._tensors).get(name)

    @property
    def rows(self) -> list[Any]:
        """All results that are rows."""
        return self._rows

    def _keep(self, tensors: "Mapping[str, Tensor]", rows: Sequence[Any]) -> None:
        if tensors:
            self._tensors.append(tensors)
        self._rows.extend(rows)

    def _mark(self) -> None:
        self._fresh_tensors, self._fresh_rows = len(self._tensors), len(self._rows)


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one shorter."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


def aside(stop: StopFlag, call: Callable[[], T]) -> T:
    """The result of a library call that cannot be asked to stop, without waiting for it to end.

    It runs in a thread. When a stop is asked for meanwhile, the thread is left behind: what it
    does is lost, and the process, which is about to end, ends it. It must not come back to Python
    then, so an iterator that it is given has to look at the stop flag as well (``watched``).

    Raises:
        Interrupted: A stop was asked for.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="aside", daemon=True)
    thread.start()
    while thread.is_alive():
        if stop:
            thread.join(GRACE_S)
        stop.check()
        thread.join(LOOK_S)
    if errors:
        raise errors[0]
    return results[0]


def watched(stop: StopFlag, items: Iterable[T]) -> Iterator[T]:
    """The items, until a stop is asked for.

    Raises:
        Interrupted: A stop was asked for.
    """
    for item in items:
        stop.check()
        yield item


def _joined(parts: "Sequence[Mapping[str, Tensor]]") -> "dict[str, Tensor]":
    import torch

    names = parts[0].keys() if parts else ()
    return {name: torch.cat([part[name] for part in parts]) for name in names}
