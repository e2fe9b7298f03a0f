"""One stage in a process of its own: ``python -m ...science_host FOLDER RUN STAGE CONFIG``.

CONFIG is the resolved configuration as JSON. SIGTERM, SIGINT and the end of whoever holds the other
end of stdin make it save its progress and leave. The report of the stage is the one line on stdout.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from voltx_core.config import VoltxConfig
from voltx_core.errors import Interrupted, VoltxError
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.workspace import Workspace
from voltx_core.training.session import StopFlag

INTERRUPTED, FAILED = 3, 1
"""Exit codes."""


def workspace(folder: Path) -> Workspace:
    """Store and home of the bench, both in its folder."""
    return Workspace.open(str(folder / "store"), environ={"VOLTX_HOME": str(folder / "home")})


def main() -> int:
    folder, run_id, stage, settings = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a stage prints is no report
    stop = StopFlag()
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, lambda number, _: stop.set(signal.Signals(number).name))
    threading.Thread(target=_outlive_nobody, args=(stop,), daemon=True).start()
    config = VoltxConfig.model_validate_json(settings)
    try:
        finished = execute(stage, config, workspace(Path(folder)), run_id=run_id, stop=stop)
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        return INTERRUPTED
    except VoltxError as error:
        print(error, file=sys.stderr)
        return FAILED
    print(json.dumps(finished.report), file=answers, flush=True)
    return 0


def _outlive_nobody(stop: StopFlag) -> None:
    """Stop when the bench is gone, however it ended: the kernel closes its end of the pipe."""
    while os.read(0, 1):
        pass
    stop.set("the bench has ended")


if __name__ == "__main__":
    sys.exit(main())
