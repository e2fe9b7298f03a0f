"""Dotted paths: one name for each thing, however it was reached."""

import re
from collections.abc import Collection

from voltx_core.hard_core.guard.values import words

SAME = {
    "posix": "os",
    "nt": "os",
    "_os": "os",
    "__builtin__": "builtins",
    "__builtins__": "builtins",
    "_io": "io",
    "_socket": "socket",
    "_pickle": "pickle",
    "cPickle": "pickle",
    "_ctypes": "ctypes",
    "_posixsubprocess": "subprocess",
}
REEXPORTED = re.compile(r"^[\w.]+\._?(os|sys|subprocess|shutil|builtins|ctypes)(?=\.|$)")
"""``shutil.os.remove`` and ``logging.sys`` are ``os.remove`` and ``sys``."""
OPENERS = {"io.open": "builtins.open", "codecs.open": "builtins.open", "os.fdopen": "builtins.open"}
PATH_CLASSES = re.compile(r"^pathlib\.(PosixPath|WindowsPath|PurePath|PurePosixPath)\b")
PATH_STEPS = words(
    "parent resolve absolute expanduser with_name with_suffix with_stem readlink "
    "relative_to iterdir() glob() rglob()"
)
"""Attributes of a path that are, or give, a path again."""


def canonical(path: str) -> str:
    """The one name of a dotted path."""
    root, dot, rest = path.partition(".")
    path = SAME.get(root, root) + dot + rest
    if path.startswith("os.path."):
        deeper = REEXPORTED.sub(r"\1", path)
        path = deeper if deeper != path else path
    else:
        path = REEXPORTED.sub(r"\1", path)
    path = OPENERS.get(path, path)
    if path.startswith("pathlib."):
        path = PATH_CLASSES.sub("pathlib.Path", path)
        head, _, last = path.rpartition(".")
        if head == "pathlib.Path()" and last in PATH_STEPS:
            return head
        if head == "pathlib.Path" and last not in ("home", "cwd"):
            return f"pathlib.Path().{last}"  # pathlib.Path.unlink(p)
    return path


def rooted_in(path: str, modules: Collection[str]) -> bool:
    """Whether a path begins with one of these modules."""
    return path.partition(".")[0] in modules
