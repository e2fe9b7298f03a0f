import re
from pathlib import Path

import pytest

from voltx_core.judge.cage.syscalls import NUMBERS

HEADERS = {
    0: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    1: Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("column", HEADERS, ids=["x86_64", "aarch64"])
def test_system_call_numbers_are_those_of_the_kernel_headers(column):
    header = HEADERS[column]
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    known: dict[str, int] = {}
    for name, number in lines:
        known.setdefault(name, int(number))
    if column == 1:  # the generic table calls it so
        known["newfstatat"] = known.get("fstatat", known.get("newfstatat", -1))
    assert {name: numbers[column] for name, numbers in NUMBERS.items()} == {
        name: known.get(name) for name in NUMBERS
    }
