"""The progress of a stage in the store: taken over from there, and copied there meanwhile."""

import logging
import os
import shutil
import threading
import time
from collections import deque
from pathlib import Path

from voltx_core.errors import StoreError
from voltx_core.store import ArtifactStore, Mirror
from voltx_core.training.checkpoint import newest_usable
from voltx_core.training.origin import Origin

logger = logging.getLogger(__name__)

_REMEMBERED = 3
"""Copies whose slowest tells how long the next one may take."""


def take_over(
    artifacts: ArtifactStore,
    stage: str,
    fingerprint: str,
    local: Path,
    origin: Origin | None = None,
) -> None:
    """Bring in the newest intact checkpoint of the store, if this machine has none as new."""
    here = newest_usable(local, origin) or 0
    for sequence in reversed(artifacts.progress_steps(stage, fingerprint)):
        if sequence <= here:
            return
        place = local / str(sequence)
        shutil.rmtree(place, ignore_errors=True)  # a damaged one of the same number
        try:
            artifacts.fetch_progress(stage, fingerprint, sequence, place)
        except StoreError as error:
            logger.warning("Remote checkpoint %s of %s passed over: %s", sequence, stage, error)
            continue
        if newest_usable(local, origin) == sequence:
            logger.info(
                "Took over checkpoint %d of %s from the store: %s",
                sequence,
                stage,
                f"newer than {here}, the newest here" if here else "there is none here",
            )
            return
        shutil.rmtree(place, ignore_errors=True)


class RemoteProgress:
    """Copies checkpoints to the store; the newest one that waits is the next to go.

    A checkpoint that waits or is being sent is held by hard links of its own, so that it may be
    pruned locally while a slow store still takes it.

    Args:
        artifacts: The store.
        stage: Whose progress it is.
        fingerprint: Of the stage.
        keep: How many checkpoints stay in the store.
        outbox: Folder on the file system of the checkpoints, for the links.
        mirror: Does the sending.
    """

    def __init__(
        self,
        artifacts: ArtifactStore,
        stage: str,
        fingerprint: str,
        *,
        keep: int,
        outbox: Path,
        mirror: Mirror,
    ) -> None:
        self._artifacts, self._stage, self._fingerprint = artifacts, stage, fingerprint
        self._keep, self._outbox, self._mirror = keep, outbox, mirror
        self._next: tuple[int, Path, float] | None = None
        self._lags_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()
        shutil.rmtree(outbox, ignore_errors=True)

    def lag_s(self) -> float:
        """Seconds from handing over to arrival, of the slowest of the last few checkpoints."""
        return max(self._lags_s, default=0.0)

    def send(self, sequence: int, folder: Path) -> None:
        """Have a complete checkpoint copied to the store; returns at once."""
        held = self._outbox / str(sequence)
        try:
            shutil.copytree(folder, held, copy_function=os.link)
        except OSError as error:  # it is safe here all the same
            logger.warning("Checkpoint %d does not reach the store: %s", sequence, error)
            shutil.rmtree(held, ignore_errors=True)
            return
        with self._lock:
            passed, self._next = self._next, (sequence, held, time.monotonic())
        if passed:
            shutil.rmtree(passed[1], ignore_errors=True)
        self._mirror.submit(self._send_next, f"checkpoint {sequence} of {self._stage}")

    def _send_next(self) -> None:
        with self._lock:
            piece, self._next = self._next, None
        if piece is None:
            return  # a newer one took its place and has gone already
        sequence, held, handed_over = piece
        try:
            self._artifacts.save_progress(self._stage, self._fingerprint, sequence, held)
            self._lags_s.append(time.monotonic() - handed_over)
            self._artifacts.prune_progress(self._stage, self._fingerprint, self._keep)
        finally:
            shutil.rmtree(held, ignore_errors=True)
