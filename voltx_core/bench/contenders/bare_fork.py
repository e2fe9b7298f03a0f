"""A worker of the floor: ``python bare_fork.py JUDGE_FOLDER DESCRIPTOR``.

It is as small as this judge's own warm interpreter: it imports the same modules and nothing else.
"""

import gc
import importlib
import os
import sys
import time

_MAX_MESSAGE = 1 << 28


def main() -> None:
    folder, descriptor = sys.argv[1], int(sys.argv[2])
    sys.path.insert(0, folder)
    # Of the judge's folder, not of the library, which would bring much more.
    frames = importlib.import_module("cage.frames")
    values = importlib.import_module("cage.values")
    for name in importlib.import_module("cage.zygote").PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while True:
        try:
            sources = values.decode(frames.receive(descriptor, _MAX_MESSAGE))
        except frames.ChannelClosed:
            return
        frames.send(descriptor, values.encode([_execute(source) for source in sources]))


def _execute(source: str) -> tuple[bool, float]:
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            exec(compile(source, "<program>", "exec"), {"__name__": "program"})
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return status == 0, time.monotonic() - began


if __name__ == "__main__":
    main()
