"""Landlock: a file-system fence an unprivileged process puts around itself for good."""

import ctypes
import os
import struct
from collections.abc import Iterable

from . import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_RIGHTS = (1 << 16) - 1
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 1, 2


def abi() -> int:
    """The Landlock version of this kernel; 0 where there is none."""
    try:
        return kernel.syscall("landlock_create_ruleset", 0, 0, 1)
    except OSError:
        return 0


def confine(readable: Iterable[str], writable: Iterable[str]) -> None:
    """From now on only these trees exist: some to read and execute, some to do anything in.

    Args:
        readable: folders or files to read and execute; absent ones are skipped.
        writable: folders or device files to also write.

    Raises:
        OSError: Landlock is absent or refused.
    """
    version = abi()
    if not version:
        raise OSError("this kernel has no Landlock")
    handled = _RIGHTS_BY_ABI.get(version, _ALL_RIGHTS)
    network = 3 if version >= 4 else 0
    scopes = _SCOPE_ABSTRACT_SOCKET | _SCOPE_SIGNAL if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = [(path, handled & _READING) for path in readable]
    rules += [(path, handled) for path in writable]
    _restrict(struct.pack("<QQQ", handled, network, scopes)[:size], rules)


def fences_storing() -> bool:
    """Whether this kernel's Landlock covers all ways to make, grow, cut or remove a file."""
    return abi() >= 3


def give_up_storing(devices: Iterable[str]) -> None:
    """From now on no file can be made, changed or removed anywhere; what is readable stays so.

    Args:
        devices: what can still be written to.

    Raises:
        OSError: Landlock is absent or refused.
    """
    handled = _RIGHTS_BY_ABI.get(abi(), _ALL_RIGHTS) & ~(_READING | _IOCTL_DEV)
    _restrict(struct.pack("<Q", handled), [(path, handled) for path in devices])


def _restrict(attributes: bytes, rules: Iterable[tuple[str, int]]) -> None:
    ruleset = kernel.syscall(
        "landlock_create_ruleset", ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes)), 0
    )
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.syscall("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):  # absent, or beyond our own rights
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("<Qi", rights, fd)
        kernel.syscall("landlock_add_rule", ruleset, 1, ctypes.c_char_p(rule), 0)
    finally:
        os.close(fd)
