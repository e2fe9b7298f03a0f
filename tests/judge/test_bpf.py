"""Filters do what their lists say, for every system call: interpreted here, installed elsewhere."""

import errno
import struct

import pytest

from voltx_core.judge.cage import bpf, kernel, seccomp
from voltx_core.judge.cage.bpf import Condition
from voltx_core.judge.cage.syscalls import NEWEST, NUMBERS

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, LACKING = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(kernel.MACHINE, 0)
ARGUMENTS = [(0,) * 6, (1,) * 6, (3,) * 6, (0x400000,) * 6, (0x10000000,) * 6, (0x7FFFFFFF,) * 6]

pytestmark = pytest.mark.skipif(not ARCHITECTURE, reason="no filters for this machine")


def answer(
    program: bytes, number: int, arguments: tuple[int, ...], arch: int = ARCHITECTURE
) -> int:
    """What a filter says about one call, as the kernel would run it."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments)
    ops = list(struct.iter_unpack("<HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, value = ops[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x06:
                return value
            case 0x05:
                at += value
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x45:
                at += if_true if accumulator & value else if_false
            case _:
                raise AssertionError(f"unknown operation {code:#x}")


def refused(condition: Condition, arguments: tuple[int, ...]) -> bool:
    value = arguments[condition.argument] & 0xFFFFFFFF
    return (
        value in condition.equal
        or bool(value & condition.any_bit)
        or bool(condition.unless_equal and value not in condition.unless_equal)
        or bool(condition.unless_bit and not value & condition.unless_bit)
    )


def number_of(name: str) -> int | None:
    return NUMBERS[name][kernel.MACHINE == "aarch64"]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_every_call_is_answered_as_the_lists_say(arguments):
    denied = sorted(NUMBERS)[::2]
    conditions = [
        Condition("clone", 0, any_bit=0x10000000),
        Condition("clone", 1, unless_bit=1),
        Condition("prctl", 0, equal=(1, 3)),
        Condition("socketpair", 0, unless_equal=(1, 0)),
    ]
    program = bpf.assemble(denied, conditions)
    expected = {}
    for condition in conditions:
        if refused(condition, arguments):
            expected[number_of(condition.call)] = REFUSE
    expected |= {number_of(name): REFUSE for name in denied}
    expected[number_of("clone3")] = LACKING
    for number in range(NEWEST + 1):
        assert answer(program, number, arguments) == expected.get(number, ALLOW), number
    for number in (NEWEST + 1, 1000, 0x3FFFFFFF):
        assert answer(program, number, arguments) == LACKING
    for number in (0x40000000, 0x40000000 + 59, 0xFFFFFFFF):
        assert answer(program, number, arguments) == KILL
    assert answer(program, 0, arguments, arch=0x40000003) == KILL


def test_a_filter_with_more_refusals_than_a_jump_reaches_is_assembled_all_the_same():
    conditions = [Condition(name, 0, equal=tuple(range(4))) for name in NUMBERS if name != "clone3"]
    program = bpf.assemble([], conditions)
    assert len(program) // 8 > 3 * 255
    for name in NUMBERS:
        number = number_of(name)
        if number is not None and name != "clone3":
            assert answer(program, number, (3,) * 6) == REFUSE
            assert answer(program, number, (4,) * 6) == ALLOW


def test_the_walk_that_the_kernel_makes_for_every_call_is_short():
    program = seccomp.outer_filter()
    ops = list(struct.iter_unpack("<HBBI", program))
    assert len(ops) > 200
    deepest = 0

    def walk(at: int, steps: int) -> None:
        nonlocal deepest
        code, if_true, if_false, value = ops[at]
        if code == 0x35:
            walk(at + 1 + if_true, steps + 1)
            walk(at + 1 + if_false, steps + 1)
        elif code == 0x05:
            walk(at + 1 + value, steps + 1)
        else:
            deepest = max(deepest, steps)

    walk(4, 0)
    assert deepest <= 16
