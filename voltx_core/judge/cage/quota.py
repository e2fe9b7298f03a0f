"""How much a compiler may store in scratch where no file system of its own bounds it.

Whoever waits for the compiler looks into the folder every ``INTERVAL_S``. A compiler is trusted, it
only reads hostile source: what it stores beyond the limit is what it can write in that time, and
each of its files has a limit of its own. Programs cannot store anything there.
"""

import os
import time

INTERVAL_S = 0.05
_MAX_BYTES, _MAX_FILES = 64 << 20, 4096


class Quota:
    """The working directory under watch."""

    def __init__(self) -> None:
        self._looked = 0.0

    def exceeded(self) -> bool:
        """Whether the folder holds too much; looks at most once in ``INTERVAL_S``."""
        now = time.monotonic()
        if now - self._looked < INTERVAL_S:
            return False
        self._looked = now
        return _holds_too_much()


def _holds_too_much() -> bool:
    used = count = 0
    for folder, folders, names in os.walk("."):
        count += len(folders) + len(names)
        if count > _MAX_FILES:
            return True
        for name in names:
            try:
                used += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:  # removed since
                continue
    return used > _MAX_BYTES
