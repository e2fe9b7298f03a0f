"""EvalPlus (Liu et al. 2023), as installed: ``untrusted_check`` in a pool of processes.

EvalPlus calls a function on listed inputs and compares with listed outputs. Here the script's own
tests run while it is loaded, and one call of a function that returns True follows: that spares it
the work it does per input.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from voltx_core.bench.contenders.contender import Absent, Script, Seen

_REFERENCE_S = 15.0  # it allows four times this


class EvalPlus:
    def __init__(self, name: str, workers: int) -> None:
        del name
        try:
            import evalplus.eval  # noqa: F401 (the forked workers find it loaded)
        except ImportError as error:
            raise Absent(f"EvalPlus is not installed ({error}): pip install '.[bench]'") from None
        self._pool = ProcessPoolExecutor(workers)

    def run(self, scripts: list[Script]) -> list[Seen]:
        return list(self._pool.map(_check, scripts))

    def slots(self) -> list[int]:
        return []

    def close(self) -> None:
        self._pool.shutdown()


def _check(script: Script) -> Seen:
    from evalplus.eval import PASS, untrusted_check

    began = time.monotonic()
    arguments: dict[str, Any] = {
        "dataset": "none",
        "code": f"{script.source}\ndef tests_passed():\n    return True\n",
        "inputs": [[]],
        "entry_point": "tests_passed",
        "expected": [True],
        "atol": 0,
        "ref_time": [_REFERENCE_S],
    }
    outcome, _ = untrusted_check(**arguments)
    return Seen(outcome == PASS, time.monotonic() - began)
