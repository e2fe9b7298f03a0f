"""The floor: what executing the program costs when nothing protects anyone.

``workers`` small interpreters, warmed with the modules that this judge preloads, fork once per
program; the child executes solution and tests together, and its exit code is the verdict. Programs
are dealt out beforehand, so nothing is spent on handing them over.
"""

import gc
import importlib
import os
import random
import socket
import time

from voltx_core.bench.contenders.contender import Script, Seen
from voltx_core.judge.cage.frames import ChannelClosed, receive, send
from voltx_core.judge.cage.values import decode, encode
from voltx_core.judge.cage.zygote import PRELOADED

_MAX_MESSAGE = 1 << 28


class Floor:
    def __init__(self, name: str, workers: int) -> None:
        del name
        for module in PRELOADED:
            importlib.import_module(module)
        gc.collect()
        gc.freeze()
        self._workers: list[tuple[int, socket.socket]] = []
        for _ in range(workers):
            self._workers.append(_start([end for _, end in self._workers]))

    def run(self, scripts: list[Script]) -> list[Seen]:
        count = len(self._workers)
        for number, (_, end) in enumerate(self._workers):
            share = [script.source for script in scripts[number::count]]
            send(end.fileno(), encode(share, limit=_MAX_MESSAGE))
        seen: list[Seen] = [Seen(False, 0.0)] * len(scripts)
        for number, (_, end) in enumerate(self._workers):
            seen[number::count] = [
                Seen(*pair) for pair in decode(receive(end.fileno(), _MAX_MESSAGE))
            ]
        return seen

    def slots(self) -> list[int]:
        return [pid for pid, _ in self._workers]

    def close(self) -> None:
        for pid, end in self._workers:
            end.close()
            os.waitpid(pid, 0)


def _start(ends_of_others: list[socket.socket]) -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    for end in (ours, *ends_of_others):
        end.close()
    try:
        while True:
            sources = decode(receive(theirs.fileno(), _MAX_MESSAGE))
            send(theirs.fileno(), encode([_execute(source) for source in sources]))
    except ChannelClosed:
        os._exit(0)


def _execute(source: str) -> tuple[bool, float]:
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            random.seed(0)
            exec(compile(source, "<program>", "exec"), {"__name__": "program"})
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return status == 0, time.monotonic() - began
