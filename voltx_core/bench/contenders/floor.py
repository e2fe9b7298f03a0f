"""The floor: what executing the program costs when nothing protects anyone.

``workers`` small warm interpreters fork once per program; the child executes solution and tests
together, and its exit code is the verdict. Programs are dealt out beforehand, so nothing is spent
on handing them over.
"""

import socket
import subprocess
import sys
from pathlib import Path

import voltx_core.judge.slot as slot
from voltx_core.bench.contenders.contender import Script, Seen
from voltx_core.judge.cage.frames import receive, send
from voltx_core.judge.cage.values import decode, encode

_WORKER = Path(__file__).with_name("bare_fork.py")
_MAX_MESSAGE = 1 << 28


class Floor:
    def __init__(self, name: str, workers: int) -> None:
        del name
        self._workers = [_start() for _ in range(workers)]

    def run(self, scripts: list[Script]) -> list[Seen]:
        count = len(self._workers)
        for number, (_, end) in enumerate(self._workers):
            share = [script.source for script in scripts[number::count]]
            send(end.fileno(), encode(share, limit=_MAX_MESSAGE))
        seen = [Seen(False, 0.0)] * len(scripts)
        for number, (_, end) in enumerate(self._workers):
            pairs = decode(receive(end.fileno(), _MAX_MESSAGE))
            seen[number::count] = [Seen(*pair) for pair in pairs]
        return seen

    def slots(self) -> list[int]:
        return [process.pid for process, _ in self._workers]

    def close(self) -> None:
        for process, end in self._workers:
            end.close()
            process.wait()


def _start() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    judge = str(Path(slot.__file__).parent)
    process = subprocess.Popen(
        [sys.executable, *slot.FLAGS, str(_WORKER), judge, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=slot.ENVIRONMENT,
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()
    return process, ours
