"""The progress of a stage in the store: taken over from there, and copied there meanwhile."""

import logging
import os
import shutil
import threading
from pathlib import Path

from voltx_core.errors import StoreError
from voltx_core.store import ArtifactStore, Mirror
from voltx_core.training.checkpoint import damage

logger = logging.getLogger(__name__)


def take_over(artifacts: ArtifactStore, stage: str, fingerprint: str, local: Path) -> None:
    """Bring in the newest intact remote checkpoint when no intact local one is as new."""
    remote = artifacts.progress_steps(stage, fingerprint)
    if not remote:
        return
    newest = _newest_intact(local)
    for sequence in reversed(remote):
        if sequence <= newest:
            return
        try:
            if (local / str(sequence)).exists():  # damaged, or it would count as intact
                shutil.rmtree(local / str(sequence))
            artifacts.fetch_progress(stage, fingerprint, sequence, local / str(sequence))
        except StoreError as error:
            logger.warning("Remote checkpoint %s of %s passed over: %s", sequence, stage, error)
        else:
            logger.info(
                "Took over checkpoint %s of %s from the store: the newest intact one here is %s",
                sequence,
                stage,
                newest or "none",
            )
            return


def _newest_intact(local: Path) -> int:
    """The sequence of the newest local checkpoint whose digests are right, 0 without one."""
    found = [int(path.name) for path in local.glob("[0-9]*") if path.name.isdigit()]
    return next((n for n in sorted(found, reverse=True) if damage(local / str(n)) is None), 0)


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
        self._next: tuple[int, Path] | None = None
        self._lock = threading.Lock()
        shutil.rmtree(outbox, ignore_errors=True)

    def send(self, sequence: int, folder: Path) -> None:
        """Have a complete checkpoint copied to the store; returns at once."""
        held = self._outbox / str(sequence)
        shutil.copytree(folder, held, copy_function=os.link)
        with self._lock:
            passed, self._next = self._next, (sequence, held)
        if passed:
            shutil.rmtree(passed[1], ignore_errors=True)
        self._mirror.submit(self._send_next, f"checkpoint {sequence} of {self._stage}")

    def _send_next(self) -> None:
        with self._lock:
            piece, self._next = self._next, None
        if piece is None:
            return  # a newer one took its place and has gone already
        sequence, held = piece
        try:
            self._artifacts.save_progress(self._stage, self._fingerprint, sequence, held)
            self._artifacts.prune_progress(self._stage, self._fingerprint, self._keep)
        finally:
            shutil.rmtree(held, ignore_errors=True)
