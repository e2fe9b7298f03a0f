"""Curves as TensorBoard reads them: ``tensorboard --logdir .voltx/work``, or the store's folder.

The log of curves is the truth, and event files follow it. They are written anew from it when a
stage is taken up again, on this machine or another, so that they have neither gaps nor
repetitions either.
"""

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter


class EventFolder:
    """Event files of one stage; for one thread at a time.

    Args:
        folder: Where they go; what an earlier process left there is replaced.
        log: The curves as JSON lines, ``{"step": 3, "loss": 0.5}``.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self._log, self._read = folder, log, 0
        self._writer: EventFileWriter | None = None
        shutil.rmtree(folder, ignore_errors=True)

    def catch_up(self) -> None:
        """Write what the log says since the last call, and have it on disk."""
        if not self._log.exists() or self._log.stat().st_size == self._read:
            return
        with self._log.open("rb") as log:
            log.seek(self._read)
            fresh = log.read()
        fresh = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(fresh)
        for line in fresh.splitlines():
            if line:
                self._write(json.loads(line))
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Write the rest of the log and let the files go."""
        self.catch_up()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, row: dict[str, float | None]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._writer is None:
            self._writer = EventFileWriter(str(self.folder))
        points = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in row.items()
            if name != "step" and value is not None
        ]
        step = int(row["step"] or 0)
        self._writer.add_event(
            Event(wall_time=time.time(), step=step, summary=Summary(value=points))
        )
