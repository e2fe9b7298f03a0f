"""Copies in the background: progress reaches the store while training goes on."""

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    run: Callable[[], object]
    title: str
    context: contextvars.Context


class Mirror:
    """One thread that does pieces of work in order, and never stops the caller.

    Work is copying what already exists elsewhere (a checkpoint on the local disk), so that a
    failed piece is a warning, not the end of training, and that the oldest waiting piece gives
    way when the queue is full: the newer checkpoint replaces it anyway.

    As a context manager it is drained at the end, also when the block was left by an exception:
    an interrupted stage has just submitted its last checkpoint.

    Args:
        capacity: Pieces that may wait.
        name: Name of the thread, seen in stack dumps.
        quiet: Skipping is as it should be, and only the first failure is worth a warning.
    """

    def __init__(
        self, capacity: int = 4, name: str = "voltx-mirror", *, quiet: bool = False
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.failures: list[Exception] = []
        self._capacity, self._name, self._quiet = capacity, name, quiet
        self._waiting: deque[_Work] = deque()
        self._busy = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def __enter__(self) -> "Mirror":
        return self

    def __exit__(self, *_: object) -> None:
        self.drain()

    def submit(self, work: Callable[[], object], title: str = "copy to the store") -> None:
        """Do ``work`` soon, in the background; returns at once.

        Args:
            work: Called without arguments; what it raises is kept in ``failures`` and logged.
            title: What the log calls it.
        """
        # With the caller's context, or its logging would not know which run it belongs to.
        piece = _Work(work, title, contextvars.copy_context())
        with self._changed:
            self._waiting.append(piece)
            if len(self._waiting) > self._capacity:
                dropped = self._waiting.popleft()
                logger.log(
                    logging.DEBUG if self._quiet else logging.WARNING,
                    "the store is slower than the work: skipped %r for a newer one. Save less "
                    "often, or use a faster store.",
                    dropped.title,
                )
            if self._thread is None:
                # It ends when nothing waits. A daemon: a hanging server must not keep a
                # finished process alive.
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, timeout_s: float = 300.0) -> bool:
        """Wait until everything submitted is done.

        Args:
            timeout_s: Seconds to wait at most.

        Returns:
            Whether all is done; when not, what is left goes on in the background.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._waiting or self._busy:
                left = deadline - time.monotonic()
                if left <= 0:
                    logger.warning(
                        "the background copy did not finish in %g s, %d pieces wait: what they "
                        "hold is still on this machine's disk.",
                        timeout_s,
                        len(self._waiting) + self._busy,
                    )
                    return False
                self._changed.wait(left)
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = bool(self._waiting)
                self._changed.notify_all()
                if not self._busy:
                    self._thread = None
                    return
                piece = self._waiting.popleft()
            piece.context.run(self._attempt, piece)

    def _attempt(self, piece: _Work) -> None:
        try:
            piece.run()
        except Exception as error:  # training outlives a failed copy, whatever failed
            known = self._quiet and bool(self.failures)
            self.failures.append(error)
            if not known:
                logger.warning(
                    "background work %r failed, going on without: %s", piece.title, error
                )
