"""Files that appear whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voltx_core.errors import StoreError


@contextmanager
def landing(path: Path) -> Iterator[Path]:
    """Yield a new path beside ``path``; what the block puts there becomes ``path`` at its end.

    When the block raises, ``path`` stays as it was and nothing is left beside it.

    Raises:
        StoreError: The block or the renaming met an ``OSError``.
    """
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(
            f"could not write {path}: {error.strerror or error}. Free some space there, or "
            f"correct the permissions of its folder."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
