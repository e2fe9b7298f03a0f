"""The folder that a hostile program filled: emptied, and searched for what a compiler made there.

Any depth, any modes, links never followed.
"""

import os
import stat

_MAX_PRODUCTS, _MAX_PRODUCT_BYTES = 4096, 16 << 20


def empty(folder: str) -> None:
    """Remove everything inside ``folder``.

    Folders are lifted to the top before they are entered, so that no path grows long and nothing
    recurses, however deep they were nested.

    Raises:
        OSError: something cannot be removed.
    """
    count = 0
    while True:
        folders = []
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                os.unlink(entry.path)
        if not folders:
            return
        for path in folders:
            os.chmod(path, 0o700)
            for entry in os.scandir(path):
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)  # a folder that moves must be writable
                    while os.path.lexists(target := os.path.join(folder, f"lifted{count}")):
                        count += 1
                    os.rename(entry.path, target)
                else:
                    os.unlink(entry.path)
            os.rmdir(path)


def products(ending: str) -> dict[str, bytes] | None:
    """The regular files below the working directory whose names end so, by relative path.

    None if there are too many or they are too large to be kept.
    """
    found: dict[str, bytes] = {}
    left = _MAX_PRODUCT_BYTES
    for folder, _, names in os.walk("."):
        for name in names:
            if not name.endswith(ending):
                continue
            path = os.path.normpath(os.path.join(folder, name))
            content = _read_regular(path, left)
            if content is None or len(found) == _MAX_PRODUCTS:
                return None
            found[path] = content
            left -= len(content)
    return found


def _read_regular(path: str, limit: int) -> bytes | None:
    """The content of a regular file of at most ``limit`` bytes; None for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = file.read(limit + 1)
    return content if len(content) <= limit else None
