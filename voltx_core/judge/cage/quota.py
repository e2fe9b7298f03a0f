"""How much a program may store in scratch where no file system of its own bounds it.

A supervisor that waits for a program looks into the folder every ``INTERVAL_S``, so what is stored
beyond the limit is what can be written in that time. Files cannot hide: at these levels programs
cannot remove or rename one, and each has a limit of its own.
"""

import os
import time

INTERVAL_S = 0.05
_MAX_BYTES, _MAX_FILES = 64 << 20, 4096

_watched = False
_looked = 0.0


def watch_scratch() -> None:
    """From now on the working directory is looked at."""
    global _watched
    _watched = True


def watched() -> bool:
    """Whether whoever waits should wake up to ask ``exceeded``."""
    return _watched


def exceeded() -> bool:
    """Whether the working directory holds too much; looks at most once in ``INTERVAL_S``."""
    global _looked
    now = time.monotonic()
    if not _watched or now - _looked < INTERVAL_S:
        return False
    _looked = now
    return _holds_too_much()


def _holds_too_much() -> bool:
    used, count, todo = 0, 0, ["."]
    while todo:
        folder = todo.pop()
        try:
            if not os.access(folder, os.R_OK | os.X_OK):  # on purpose; it is ours all the same
                os.chmod(folder, 0o700)
            entries = list(os.scandir(folder))
        except OSError:  # deeper than a path may be
            return True
        count += len(entries)
        if count > _MAX_FILES:
            return True
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)
            else:
                used += entry.stat(follow_symlinks=False).st_blocks * 512
    return used > _MAX_BYTES
