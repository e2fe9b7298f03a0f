"""Progress checkpoints: exact, atomic, never pickled.

A checkpoint is a folder ``<sequence>/`` with, for every scope (one training run, one k-means),
``<scope>.safetensors`` and ``<scope>.json``; ``origin.json``, which says what it is the progress
of; the log of curves as it was at that moment; and a ``complete.json`` of digests written last. A
new checkpoint hard-links the scopes that did not change, so the newest folder is always the
whole state of the stage.

A save that the training need not wait for is copied in memory and written by a thread of its
own; ``flush`` waits for it. There is never more than one under way.
"""

import contextvars
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from voltx_core.errors import StoreError
from voltx_core.store.digest import sha256_file
from voltx_core.training.origin import Origin

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

WORTH_S = 0.5
"""Work of so many seconds is worth a save, which takes a fraction of that."""
COMPLETE, ORIGIN = "complete.json", "origin.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """The state of one scope at one step."""

    step: int
    tensors: "dict[str, Tensor]"
    meta: dict[str, Any]


class Checkpoints:
    """Saves and restores the progress of one stage.

    Args:
        folder: Local home of the checkpoints.
        interval_s: About the work that may be lost, in seconds; see ``due``.
        keep: How many complete checkpoints stay.
        mirror: Called with (sequence, folder) after a save; must not block training for long.
        mirror_lag_s: Seconds that a checkpoint lately took from ``mirror`` to where it survives
            this machine.
        notice_s: A machine that is taken away gives so many seconds; saves that take longer are
            warned about.
        origin: What the progress is of; checkpoints of another configuration are passed over.
        log: A file that is only appended to; each checkpoint holds it as it was, and ``resume``
            rewinds it.
        clock: Monotonic seconds.
        began: What the clock said when the attempt at this work began, by default now: the first
            save is due an interval after it.

    Attributes:
        stall_seconds: How long the caller was held up, for every save.
        write_seconds: How long it took until the state was safe on disk, for every save.
    """

    def __init__(
        self,
        folder: Path,
        *,
        interval_s: float = 60.0,
        keep: int = 2,
        mirror: Callable[[int, Path], None] | None = None,
        mirror_lag_s: Callable[[], float] = lambda: 0.0,
        notice_s: float = 30.0,
        origin: Origin | None = None,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        began: float | None = None,
    ) -> None:
        self.folder, self.interval_s, self.keep = folder, interval_s, keep
        self.stall_seconds: list[float] = []
        self.write_seconds: list[float] = []
        self._mirror, self._notice_s, self._clock = mirror, notice_s, clock
        self._mirror_lag_s = mirror_lag_s
        self._origin, self._log = origin, log
        self._writer: threading.Thread | None = None
        self._failure: StoreError | None = None
        self._last = clock() if began is None else began
        self._sequence = max(self.sequences(), default=0)
        self._digests: dict[str, str] | None = None
        self._newest = self.folder
        self._copied_scope = ""
        self._copies: dict[str, Tensor] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """No save is under way when the block is left, however it is left."""
        try:
            self.flush()
        except StoreError as error:
            logger.warning("%s", error)

    def due(self) -> bool:
        """Whether a save begun now is safe, and copied, about an interval after the last one.

        So it comes earlier by what saving and copying lately took, at most by half an interval:
        a lost machine then takes about an interval of work with it, more while the store fails.
        """
        wrote_s = self.write_seconds[-1] if self.write_seconds else 0.0
        lead_s = min(wrote_s + self._mirror_lag_s(), self.interval_s / 2)
        return self._clock() - self._last >= self.interval_s - lead_s

    def worthwhile(self) -> bool:
        """Whether a finished part of the work should be saved now, though the interval goes on.

        The next part saves under its own scope: what is not saved now would be done again.
        """
        return self._clock() - self._last >= min(WORTH_S, self.interval_s)

    def sequences(self) -> list[int]:
        """Complete checkpoints, oldest first, by name only; ``restore`` verifies digests."""
        return complete_sequences(self.folder)

    def resume(self) -> int | None:
        """Choose the checkpoint to go on from, and rewind the log to its moment.

        Points that were logged after it will be logged again by the work that is done again, so
        that curves have neither gaps nor repetitions.

        Returns:
            Its sequence; None when the work begins.
        """
        files = self._current()
        if self._log is not None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            if self._log.name in files:
                shutil.copyfile(self._newest / self._log.name, self._log)
            else:
                self._log.unlink(missing_ok=True)
        return int(self._newest.name) if files else None

    def save(
        self,
        scope: str,
        step: int,
        tensors: "Mapping[str, Tensor]",
        meta: Mapping[str, Any],
        *,
        wait: bool = True,
    ) -> None:
        """Write the state of ``scope`` after ``step`` steps.

        Args:
            scope: Which training run, k-means or other work of the stage.
            step: How far it is.
            tensors: Its state, on any device.
            meta: The rest of its state, JSON-ready.
            wait: On return the state survives a power cut. Without it, the state is copied and on
                return it may be changed; ``flush`` waits until it is safe.

        Raises:
            StoreError: The disk refused, twice if the first time was in the background; earlier
                checkpoints are untouched.
        """
        started = self._clock()
        try:
            self.flush()
        except StoreError as error:
            # The newest state is what matters: it is tried before anybody gives up, and waited for.
            logger.warning("%s Trying again with the state of step %d.", error, step)
            wait = True
        logged = self._log.stat().st_size if self._log is not None and self._log.exists() else 0
        text = json.dumps({"step": step, "meta": dict(meta)}, sort_keys=True)
        # A copy of each: the caller goes on changing them, and tied weights have two names.
        copies = self._copied(scope, tensors)
        if wait:
            self._write(scope, copies, text, logged, started)
        else:
            # With the caller's context, or its log would not know which run it belongs to.
            self._writer = threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._write_aside, scope, copies, text, logged, started),
                name="checkpoint",
            )
            self._writer.start()
        self._last = self._clock()
        self.stall_seconds.append(self._last - started)

    def _copied(self, scope: str, tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """The tensors in memory of their own, the same from save to save of a scope.

        Most of the time of a copy into fresh memory goes into its pages.
        """
        import torch

        before = self._copies if scope == self._copied_scope else {}
        self._copied_scope, self._copies = scope, {}
        for name, tensor in tensors.items():
            copy = before.get(name)
            if copy is None or copy.shape != tensor.shape or copy.dtype != tensor.dtype:
                copy = torch.empty(tensor.shape, dtype=tensor.dtype)
            self._copies[name] = copy.copy_(tensor.detach())
        return self._copies

    def flush(self) -> None:
        """Wait until the last save is safe on disk.

        Raises:
            StoreError: It is not; earlier checkpoints are untouched.
        """
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _write_aside(
        self, scope: str, tensors: "dict[str, Tensor]", text: str, logged: int, started: float
    ) -> None:
        try:
            self._write(scope, tensors, text, logged, started)
        except StoreError as error:
            self._failure = error

    def _write(
        self, scope: str, tensors: "dict[str, Tensor]", text: str, logged: int, started: float
    ) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        sequence = self._sequence + 1
        target = self.folder / str(sequence)
        partial = self.folder / f".partial-{sequence}-{os.getpid()}"
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            save_file(tensors, partial / f"{scope}.safetensors")
            (partial / f"{scope}.json").write_text(text)
            self._accompany(partial, logged)
            digests = {path.name: sha256_file(path) for path in partial.iterdir()}
            for name, digest in self._current().items():
                if name not in digests:  # a scope that did not change
                    os.link(self._newest / name, partial / name)
                    digests[name] = digest
            (partial / COMPLETE).write_text(json.dumps(digests, sort_keys=True))
            for path in (*partial.iterdir(), partial):
                _fsync(path)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
            _fsync(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise StoreError(
                f"Could not save checkpoint {sequence} of {scope!r} in {self.folder}: {error}. "
                "Earlier checkpoints are intact; free some disk and start the stage again."
            ) from error
        self._sequence, self._newest, self._digests = sequence, target, digests
        for old in self.sequences()[: -self.keep]:
            shutil.rmtree(self.folder / str(old), ignore_errors=True)
        took = self._clock() - started
        self.write_seconds.append(took)
        if took > self._notice_s:
            logger.warning(
                "Saving checkpoint %d took %.0f s, longer than the notice of %.0f s that a "
                "machine gives before it is taken away: up to %.0f s of work would be lost then. "
                "Use a faster disk, or set checkpoint.notice_s to what your provider gives.",
                sequence,
                took,
                self._notice_s,
                self.interval_s,
            )
        if self._mirror is not None:
            self._mirror(sequence, target)

    def _accompany(self, partial: Path, logged: int) -> None:
        """Put beside the state whose it is, and the log up to the moment of the save."""
        if self._origin is not None:
            (partial / ORIGIN).write_text(json.dumps(self._origin.record(), sort_keys=True))
        if self._log is not None and logged:
            with self._log.open("rb") as log:
                (partial / self._log.name).write_bytes(log.read(logged))

    def restore(self, scope: str, device: str = "cpu") -> Saved | None:
        """The newest intact state of ``scope``, or None; damaged checkpoints are passed over."""
        from safetensors.torch import load_file

        self.flush()
        if f"{scope}.json" not in self._current():
            return None
        record = json.loads((self._newest / f"{scope}.json").read_text())
        tensors = load_file(self._newest / f"{scope}.safetensors", device=device)
        return Saved(step=record["step"], tensors=tensors, meta=record["meta"])

    def _current(self) -> dict[str, str]:
        """Files of the newest usable checkpoint with their digests; verified once a process."""
        if self._digests is None:
            self._digests = {}
            sequence = newest_usable(self.folder, self._origin)
            if sequence is not None:
                self._newest = self.folder / str(sequence)
                self._digests = json.loads((self._newest / COMPLETE).read_text())
                logger.info(
                    "Resuming from checkpoint %d of %s in %s: the newest that is intact and of "
                    "this configuration",
                    sequence,
                    self.sequences(),
                    self.folder,
                )
        return self._digests


def complete_sequences(folder: Path) -> list[int]:
    """Checkpoints in a folder that were written to their end, oldest first."""
    if not folder.is_dir():
        return []
    found = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    return sorted(n for n in found if (folder / str(n) / COMPLETE).is_file())


def newest_usable(folder: Path, origin: Origin | None) -> int | None:
    """The newest checkpoint that is intact and of this origin; what is passed over is said."""
    for sequence in reversed(complete_sequences(folder)):
        place = folder / str(sequence)
        fault = _damage(place) or _foreign(place, origin)
        if fault is None:
            return sequence
        logger.warning("Checkpoint %s is passed over: %s. Trying an older one", place, fault)
    return None


def _damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        for name, digest in json.loads((folder / COMPLETE).read_text()).items():
            if sha256_file(folder / name) != digest:
                return f"damaged, {name} does not match its digest"
    except (OSError, ValueError, AttributeError) as error:
        return f"damaged, {error}"
    return None


def _foreign(folder: Path, origin: Origin | None) -> str | None:
    """Why an intact checkpoint is not progress of this work, or None; other code is only said."""
    if origin is None:
        return None
    try:
        theirs = Origin.of(json.loads((folder / ORIGIN).read_text()))
    except (OSError, ValueError) as error:
        return f"it does not say what it is the progress of ({error})"
    if changed := origin.changed_code(theirs):
        logger.warning(
            "%s was saved by other code; it goes on with what is here, and may end with other "
            "bits than an undisturbed run. Changed: %s. To begin anew: --force",
            folder,
            ", ".join(changed),
        )
    return origin.refusal(theirs)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
