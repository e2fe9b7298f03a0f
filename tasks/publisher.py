"""Publishes the progress of a stage to the Prefect UI without holding the stage up."""

import contextvars
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

logger = logging.getLogger("voltx_core.progress")

INTERVAL_S = 2.0


class Publisher:
    """An Observer that keeps one progress artifact of a stage up to date.

    The stage only leaves its latest word here; a thread of its own sends it, at most every
    ``interval_s`` seconds. A server that does not answer costs a warning, never the stage.

    Args:
        stage: Name of the stage; its artifact is ``<stage>-progress``.
        interval_s: Least seconds between two calls to the server.
    """

    def __init__(self, stage: str, *, interval_s: float = INTERVAL_S) -> None:
        self._key = f"{artifact_key(stage)}-progress"
        self._interval_s = interval_s
        self._word = threading.Condition()
        self._progress: tuple[int, int, str, str] | None = None
        self._metrics: dict[str, float] = {}
        self._pace = Pace()
        self._changed, self._ending = False, False
        self._artifact: UUID | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        # A copied context tells the thread which flow run artifacts and logs belong to.
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._send_all,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._word:
            self._ending = True
            self._word.notify()
        if self._thread is not None:
            self._thread.join(timeout=10.0)

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self._pace.note(done, total, note)
        self._tell(progress=(done, total, unit, note))

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        del step
        self._tell(metrics=values)

    def figure(self, name: str, path: Path) -> None:
        del name, path  # published with the results, from the committed files

    def _tell(
        self,
        progress: tuple[int, int, str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        with self._word:
            self._progress = progress or self._progress
            self._metrics.update(metrics or {})
            self._changed = True
            self._word.notify()

    def _send_all(self) -> None:
        warned = False
        while True:
            with self._word:
                self._word.wait_for(lambda: self._changed or self._ending)
                ending, changed = self._ending, self._changed
                self._changed = False
                share, text = self._share(), self._text()
            if changed:
                try:
                    self._send(share, text)
                except Exception as error:  # whatever the server does, the stage goes on
                    if not warned:
                        logger.warning("Progress is not shown in the UI just now: %s", error)
                    warned = True
            if ending:
                return
            with self._word:
                self._word.wait_for(lambda: self._ending, timeout=self._interval_s)

    def _send(self, share: float, text: str) -> None:
        if self._artifact is None:
            created = create_progress_artifact(share, key=self._key, description=text)
            self._artifact = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(self._artifact, progress=share, description=text)

    def _share(self) -> float:
        if self._progress is None:
            return 0.0
        done, total, _, _ = self._progress
        return round(100.0 * done / total, 1) if total else 0.0

    def _text(self) -> str:
        parts = []
        if self._progress is not None:
            done, total, unit, note = self._progress
            parts.append(f"{note + ': ' if note else ''}{done:,} of {total:,} {unit}")
            eta_s = self._pace.eta_s(done, total)
            if eta_s is not None and done < total:
                parts.append(f"about {spoken(eta_s)} left")
        parts += [f"{name} {value:.4g}" for name, value in sorted(self._metrics.items())]
        return " · ".join(parts)


class Pace:
    """How fast the units of the current part go by."""

    def __init__(self) -> None:
        self._part: str | None = None
        self._began = (0.0, 0)

    def note(self, done: int, total: int, part: str, *, now: float | None = None) -> None:
        """A part is told by its name and total; a new one starts a new clock."""
        now = time.monotonic() if now is None else now
        name = f"{part}/{total}"
        if name != self._part or done < self._began[1]:
            self._part, self._began = name, (now, done)

    def eta_s(self, done: int, total: int, *, now: float | None = None) -> float | None:
        """Seconds left at the pace so far; None before anything went by."""
        now = time.monotonic() if now is None else now
        since, first = self._began
        return (now - since) / (done - first) * (total - done) if done > first else None


def spoken(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def artifact_key(stage: str) -> str:
    """Prefect wants lower-case letters, digits and dashes."""
    return stage.lower().replace("_", "-")
