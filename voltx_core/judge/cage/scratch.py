"""Emptying a folder that a hostile program filled: any depth, any modes, links not followed."""

import os


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
