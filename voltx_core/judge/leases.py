"""Uids nobody uses, one per slot, so that two slots never share one."""

import contextlib
import os
import socket

_FIRST_HIGH, _FIRST_LOW = 1_879_048_192, 61_184
_COUNT_HIGH, _COUNT_LOW = 1 << 20, 4_096


class UidLease:
    """The right to be the only user of a uid, held until closed or until this process ends.

    The lease is an abstract Unix socket bound to a name that holds the uid: the kernel gives it
    to one process of this machine at a time and takes it back when that process dies.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        first, count = _range()
        start = os.getpid() * 61
        for step in range(count):
            uid = first + (start + step) % count
            with contextlib.suppress(OSError):
                self._socket.bind(f"\0voltx-judge-uid-{uid}")
                self.uid = uid
                return
        self._socket.close()
        raise OSError("every uid of the judge's range is taken")

    def close(self) -> None:
        self._socket.close()


def _range() -> tuple[int, int]:
    """A range of uids that exist in this user namespace (a container may have only 65,536)."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        for line in file:
            inside, _, length = (int(number) for number in line.split())
            if inside <= _FIRST_HIGH and inside + length >= _FIRST_HIGH + _COUNT_HIGH:
                return _FIRST_HIGH, _COUNT_HIGH
    return _FIRST_LOW, _COUNT_LOW
