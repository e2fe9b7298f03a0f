"""Progress checkpoints: exact, atomic, never pickled.

A checkpoint is a folder ``<sequence>/`` with, for every scope (one training run, one k-means),
``<scope>.safetensors`` and ``<scope>.json``, and a ``complete.json`` of digests written last. A
new checkpoint hard-links the scopes that did not change, so the newest folder is always the
whole state of the stage.

A save that the training need not wait for is copied in memory and written by a thread of its
own; ``flush`` waits for it. There is never more than one under way.
"""

import contextvars
import hashlib
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

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

COMPLETE = "complete.json"


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
        interval_s: Least seconds between two saves that ``due`` asks for.
        keep: How many complete checkpoints stay.
        mirror: Called with (sequence, folder) after a save; must not block training for long.
        notice_s: A machine that is taken away gives so many seconds; saves that take longer are
            warned about.
        clock: Monotonic seconds.

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
        notice_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.interval_s, self.keep = folder, interval_s, keep
        self.stall_seconds: list[float] = []
        self.write_seconds: list[float] = []
        self._mirror, self._notice_s, self._clock = mirror, notice_s, clock
        self._writer: threading.Thread | None = None
        self._failure: StoreError | None = None
        self._last = clock()
        self._sequence = max(self.sequences(), default=0)
        self._sources: dict[str, Path] | None = None
        self._copied_scope = ""
        self._copies: dict[str, Tensor] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """No save is under way when the block is left, however it is left."""
        if self._writer is not None:
            self._writer.join()

    def due(self) -> bool:
        """Whether the interval has passed since the last save."""
        return self._clock() - self._last >= self.interval_s

    def sequences(self) -> list[int]:
        """Complete checkpoints, oldest first, by name only; ``restore`` verifies digests."""
        if not self.folder.is_dir():
            return []
        found = [int(p.name) for p in self.folder.iterdir() if p.name.isdigit()]
        return sorted(n for n in found if (self.folder / str(n) / COMPLETE).is_file())

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
            StoreError: The disk refused, now or at the save before; earlier checkpoints are
                untouched.
        """
        started = self._clock()
        self.flush()
        text = json.dumps({"step": step, "meta": dict(meta)}, sort_keys=True)
        # A copy of each: the caller goes on changing them, and tied weights have two names.
        copies = self._copied(scope, tensors)
        if wait:
            self._write(scope, copies, text, started)
        else:
            # With the caller's context, or its log would not know which run it belongs to.
            self._writer = threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._write_aside, scope, copies, text, started),
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
        self, scope: str, tensors: "dict[str, Tensor]", text: str, started: float
    ) -> None:
        try:
            self._write(scope, tensors, text, started)
        except StoreError as error:
            self._failure = error

    def _write(self, scope: str, tensors: "dict[str, Tensor]", text: str, started: float) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        sequence = self._sequence + 1
        target = self.folder / str(sequence)
        partial = self.folder / f".partial-{sequence}-{os.getpid()}"
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for name, source in self._current().items():
                if name not in (f"{scope}.safetensors", f"{scope}.json"):
                    os.link(source, partial / name)
            save_file(tensors, partial / f"{scope}.safetensors")
            (partial / f"{scope}.json").write_text(text)
            digests = {p.name: _sha256(p) for p in sorted(partial.iterdir())}
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
        self._sequence = sequence
        self._sources = {n: target / n for n in digests}
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

    def restore(self, scope: str, device: str = "cpu") -> Saved | None:
        """The newest intact state of ``scope``, or None; damaged checkpoints are passed over."""
        from safetensors.torch import load_file

        self.flush()
        path = self._current().get(f"{scope}.json")
        if path is None:
            return None
        record = json.loads(path.read_text())
        tensors = load_file(path.with_suffix(".safetensors"), device=device)
        return Saved(step=record["step"], tensors=tensors, meta=record["meta"])

    def _current(self) -> dict[str, Path]:
        """Files of the newest intact checkpoint by name; verified once a process."""
        if self._sources is None:
            self._sources = {}
            for sequence in reversed(self.sequences()):
                folder = self.folder / str(sequence)
                found = damage(folder)
                if found is None:
                    logger.info("Resuming from checkpoint %s", folder)
                    names = json.loads((folder / COMPLETE).read_text())
                    self._sources = {name: folder / name for name in names}
                    break
                logger.warning("Checkpoint %s is damaged (%s); trying an older one", folder, found)
        return self._sources


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        for name, digest in json.loads((folder / COMPLETE).read_text()).items():
            if _sha256(folder / name) != digest:
                return f"{name} does not match its digest"
    except (OSError, ValueError, AttributeError) as error:
        return str(error)
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
