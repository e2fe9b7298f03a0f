"""A new interpreter per program, as most home-made judges do: ``python -I`` fed by stdin."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from voltx_core.bench.contenders.contender import Script, Seen

_TIMEOUT_S = 60.0


class Cold:
    def __init__(self, name: str, workers: int) -> None:
        del name
        self._pool = ThreadPoolExecutor(workers)

    def run(self, scripts: list[Script]) -> list[Seen]:
        return list(self._pool.map(self._check, scripts))

    def _check(self, script: Script) -> Seen:
        return interpret([sys.executable, "-I", "-"], script)

    def slots(self) -> list[int]:
        return []

    def close(self) -> None:
        self._pool.shutdown()


def interpret(command: list[str], script: Script) -> Seen:
    """Run a command that reads a program from stdin; exit code 0 is a pass."""
    began = time.monotonic()
    ended = subprocess.run(
        command,
        input=script.source.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return Seen(ended.returncode == 0, time.monotonic() - began)
