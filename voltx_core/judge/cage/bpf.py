"""Seccomp filters as the kernel wants them: refusals assembled into a search tree, and installed.

The kernel walks a filter for every system call number when it is installed, to learn which ones are
always allowed. A tree over the numbers makes that walk, most of what an installation costs, many
times shorter than a list of comparisons.
"""

import ctypes
import errno
import os
import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from . import kernel
from .syscalls import NEWEST, NUMBERS

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_LD_ABS, _JA, _JEQ, _JGE, _JSET, _RET = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCH, _AT_ARGUMENTS = 0, 4, 16
_FARTHEST = 255

PID_TO_COME = 0x7FEDCBA9
"""Stands in a filter for the process that will install it; no pid is as large."""


@dataclass(frozen=True)
class Condition:
    """A system call refused only for some values of one argument (its low 32 bits).

    ``equal``: refused for these values; ``any_bit``: refused when one of these bits is set;
    ``unless_equal`` / ``unless_bit``: refused except for these values / with this bit.
    """

    call: str
    argument: int
    equal: tuple[int, ...] = ()
    any_bit: int = 0
    unless_equal: tuple[int, ...] = ()
    unless_bit: int = 0


def assemble(denied: Iterable[str], conditions: Iterable[Condition]) -> bytes:
    """A filter that refuses the denied calls, and others where a condition says so.

    Calls newer than ``NEWEST`` answer ENOSYS; so does ``clone3``, whose flags are out of sight.

    Raises:
        OSError: system calls of this machine are not known.
    """
    if kernel.MACHINE not in _ARCHITECTURES:
        raise OSError(f"no seccomp filter is known for {kernel.MACHINE}")
    special: dict[int, list[bytes]] = {}
    by_number: dict[int, list[Condition]] = defaultdict(list)
    for condition in conditions:
        if (number := _number(condition.call)) is not None:
            by_number[number].append(condition)
    for number, found in by_number.items():
        checks = [op for condition in found for op in _check(condition)]
        special[number] = [*checks, _returning(_ALLOW)]
    for name in denied:
        if (number := _number(name)) is not None:
            special[number] = [_refusal(errno.EPERM)]
    special[_number("clone3") or 0] = [_refusal(errno.ENOSYS)]
    return b"".join(
        [
            _op(_LD_ABS, value=_AT_ARCH),
            _op(_JEQ, 1, 0, _ARCHITECTURES[kernel.MACHINE]),
            _returning(_KILL),
            _op(_LD_ABS, value=_AT_NUMBER),
            *_tree(_ranges(special)),
        ]
    )


_Range = tuple[int, list[bytes]]
"""From which number on, up to the next range, what is done."""


def _ranges(special: dict[int, list[bytes]]) -> list[_Range]:
    allowed = [_returning(_ALLOW)]
    ranges: list[_Range] = [(0, allowed)]
    for number in sorted(special):
        ranges += [(number, special[number]), (number + 1, allowed)]
    ranges += [(NEWEST + 1, [_refusal(errno.ENOSYS)]), (_X32_BIT, [_returning(_KILL)])]
    # The last word on a number counts, and neighbours that do the same are one.
    merged: list[_Range] = []
    for start, body in dict(ranges).items():
        if not merged or merged[-1][1] != body:
            merged.append((start, body))
    return merged


def _tree(ranges: list[_Range]) -> list[bytes]:
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    start = ranges[middle][0]
    if len(low) <= _FARTHEST:
        return [_op(_JGE, len(low), 0, start), *low, *high]
    return [_op(_JGE, 0, 1, start), _op(_JA, value=len(low)), *low, *high]


def _check(condition: Condition) -> list[bytes]:
    """Refuse where the condition holds, else go on."""
    refuse = _refusal(errno.EPERM)
    body = [_op(_LD_ABS, value=_AT_ARGUMENTS + 8 * condition.argument)]
    for value in condition.equal:
        body += [_op(_JEQ, 0, 1, value), refuse]
    if condition.any_bit:
        body += [_op(_JSET, 0, 1, condition.any_bit), refuse]
    allowed = condition.unless_equal
    for left, value in zip(range(len(allowed), 0, -1), allowed, strict=True):
        body.append(_op(_JEQ, left, 0, value))  # past the others and the refusal
    if allowed:
        body.append(refuse)
    if condition.unless_bit:
        body += [_op(_JSET, 1, 0, condition.unless_bit), refuse]
    return body


def _number(name: str) -> int | None:
    return NUMBERS[name][kernel.MACHINE == "aarch64"]


def _refusal(code: int) -> bytes:
    return _returning(_ERRNO | code)


def _returning(action: int) -> bytes:
    return _op(_RET, value=action)


def _op(code: int, if_true: int = 0, if_false: int = 0, value: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


class Layout:
    """A filter in memory as the kernel wants it, for a process that will soon install it."""

    def __init__(self, program: bytes) -> None:
        self._code = ctypes.create_string_buffer(program, len(program))
        pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))
        self._pointer = ctypes.create_string_buffer(pointer, len(pointer))
        self._address = ctypes.addressof(self._pointer)
        pid = struct.pack("<I", PID_TO_COME)
        self._pids = [at for at in range(4, len(program), 8) if program[at : at + 4] == pid]

    def install(self) -> None:
        """Put the filter on this process and its future children, for good.

        Raises:
            OSError: the kernel has no seccomp filters or refused; or privileges can be gained.
        """
        for at in self._pids:
            struct.pack_into("<I", self._code, at, os.getpid())
        kernel.load_filter(self._address)


def install(program: bytes) -> None:
    """Put the filter on this process and its future children, for good.

    Raises:
        OSError: the kernel has no seccomp filters or refused.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    Layout(program).install()
