"""Files that appear whole or not at all."""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from voltx_core.errors import StoreError


@contextmanager
def landing(path: Path, *, sha256: str = "") -> Iterator[Path]:
    """Yield a path beside ``path``; what the block puts there becomes ``path`` at its end.

    Only ``VerifiedFiles`` remembers files beyond a power cut, and forces them to disk before it
    does; forcing each arrival would cost more than it protects, since what is not remembered is
    verified again.

    When the block raises, ``path`` stays as it was. Without ``sha256`` the yielded path is new and
    nothing is left beside ``path`` then.

    Args:
        path: The final name.
        sha256: The digest of what is to land. What an attempt that was killed or failed has
            fetched of it is then kept and yielded again: the block goes on with it, and verifies
            it. One process at a time gets it; others get a new path.

    Raises:
        StoreError: The block or the renaming met an ``OSError``.
    """
    kept, landed = None, False
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = _claim(path.with_name(part_name(sha256))) if sha256 else None
        part = path.with_name(part_name(sha256)) if kept else part
        yield part
        os.replace(part, path)
        landed = True  # another process may use the name of the part from now on
    except OSError as error:
        with suppress(OSError):  # a part that fills the disk helps nobody
            part.unlink()
        raise StoreError(
            f"could not write {path}: {error.strerror or error}. Free some space there, or "
            f"correct the permissions of its folder."
        ) from error
    finally:
        with suppress(OSError):
            if not landed and (kept is None or part.stat().st_blocks == 0):
                part.unlink()
        if kept is not None:
            kept.close()


def part_name(sha256: str) -> str:
    """The name under which what was fetched of a file with this digest waits for the rest."""
    return f".{sha256}.part"


def _claim(part: Path) -> BinaryIO | None:
    """Open a part file for this process alone; None where another one has it."""
    for _ in range(3):
        file = part.open("ab")  # keeps what is there, and makes it when nothing is
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                return file
        except FileNotFoundError:
            pass  # it landed between the two calls
        except OSError:  # in use, or a network file system without locks
            file.close()
            return None
        file.close()
    return None
