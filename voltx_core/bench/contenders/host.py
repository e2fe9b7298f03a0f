"""One contender in a process of its own: ``python -m ...contenders.host NAME WORKERS``.

It says on stdout whether it can run here, then reads scripts from stdin, a JSON line per round, and
answers each with a line of what it saw. What programs print goes to /dev/null.
"""

import importlib
import json
import os
import sys
import time
from typing import Any

from voltx_core.bench.contenders import CONTENDERS
from voltx_core.bench.contenders.contender import Absent, Script


def main() -> None:
    name, workers = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    module, _, kind = CONTENDERS[name].partition(":")
    try:
        contender = getattr(importlib.import_module(module), kind)(name, workers)
    except Absent as error:
        answer({"absent": str(error)})
        return
    answer({"ready": True})
    for line in sys.stdin:
        scripts = [
            Script(*fields[:2], tuple(fields[2]), *fields[3:]) for fields in json.loads(line)
        ]
        began = time.monotonic()
        seen = contender.run(scripts)
        wall_s = time.monotonic() - began
        answer({"wall_s": wall_s, "seen": seen, "slots": contender.slots()})
    contender.close()


if __name__ == "__main__":
    main()
