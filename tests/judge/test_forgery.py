"""Programs that do not solve the problem and try to pass all the same."""

import secrets

import pytest

from voltx_core.judge import Limits, Outcome

# An attempt that only stalls its own answer is ended by the wall clock.
IMPATIENT = Limits(cpu_s=0.4, wall_s=2.0, memory_mib=128)
NEEDLE = "needle-" + secrets.token_hex(8)

ATTEMPTS = {
    "an object that equals everything": """
class Any(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
def f(): return Any(3)
""",
    "a plain object that equals everything": """
class Any:
    def __eq__(self, other): return True
def f(): return Any()
""",
    "ending the process well": "import os\ndef f(): os._exit(0)",
    "ending the interpreter well": "import sys\ndef f(): sys.exit(0)",
    "ending every loop": "def f(): raise StopIteration",
    "raising what tests may expect": "def f(): raise AssertionError",
    "leaving through generator exit": "def f(): raise GeneratorExit",
    "walking the frames": """
import sys
def f():
    frame = sys._getframe()
    while frame:
        for space in (frame.f_locals, frame.f_globals, {i: c for i, c in
                      enumerate(frame.f_code.co_consts)}):
            for value in space.values():
                if isinstance(value, str) and value.startswith("needle-") and len(value) == 23:
                    return value
        frame = frame.f_back
""",
    "searching all objects": """
import gc, re
def f():
    todo = [*gc.get_objects()]
    for thing in todo:
        try:
            for value in (thing.values() if isinstance(thing, dict) else thing):
                found = re.search("needle-[0-9a-f]{16}", str(value))
                if found: return found.group()
        except Exception: pass
""",
    "searching all memory": """
import ctypes, re
def f():
    for base in range(id(f) & ~0xfffff, (id(f) & ~0xfffff) + 0x100000, 4096):
        page = ctypes.string_at(base, 4096)
        found = re.search(b"needle-[0-9a-f]{16}", page)
        if found: return found.group().decode()
""",
    "patching builtins": """
import builtins
builtins.AssertionError = None
builtins.compile = builtins.exec = builtins.isinstance = lambda *a: True
builtins.len = builtins.abs = builtins.all = lambda *a: 1
str.__eq__ = None
""",
    "patching the judge's modules": """
import sys
for name, module in list(sys.modules.items()):
    if "cage" in name:
        for key in list(vars(module)):
            if not key.startswith("__") and callable(vars(module)[key]) and key != "receive":
                vars(module)[key] = lambda *a, **k: b"T"
def f(): return True
""",
    "printing results": """
print("passed"); print('{"outcome": "passed"}')
def f(): print("OK"); return None
""",
    "writing to every descriptor": """
import os
def f():
    for fd in range(256):
        for text in (b"R", b"f+\\0", b"\\x01\\0\\0\\0T"):
            try: os.write(fd, text)
            except OSError: pass
    return None
""",
    "garbage for an answer": "import os\ndef f(): os.write(4, b'\\x05\\0\\0\\0lllll'); return 1",
    "a boundless answer": "import os\ndef f(): os.write(4, b'\\xff' * 4); return 1",
    "closing the channel": "import os\ndef f(): os.closerange(0, 256); return 1",
    "killing those around it": """
import os, signal
def f():
    for pid in (os.getppid(), 0, -1, 1):
        for number in (signal.SIGKILL, signal.SIGTERM):
            try: os.kill(pid, number)
            except OSError: pass
    try: os.killpg(0, signal.SIGKILL)
    except OSError: pass
""",
    "owning a descriptor to have it signal": """
import fcntl, os
def f():
    fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())
    return 'needle-5'
""",
    "an endless tower": "def f():\n    x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "a list that holds itself": "def f():\n    x = []\n    x.append(x)\n    return x",
    "an endless iterator": "import itertools\ndef f(): return itertools.count()",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_forged_verdict_does_not_pass(bench, attempt):
    tests = (
        f"assert f() == {NEEDLE!r}",
        f"if f() != {NEEDLE!r}: raise ValueError",
        f"assert all(map(lambda _: f() == {NEEDLE!r}, range(3)))",
        f"for got in [f()]:\n    assert got == {NEEDLE!r}",
    )
    verdict = bench(ATTEMPTS[attempt], *tests, limits=IMPATIENT)
    assert verdict.tests_passed == 0
    assert verdict.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)


def test_the_judge_is_honest_after_all_attempts(bench):
    test = f"assert f() == {NEEDLE!r}"
    hostile = [bench.program(code, test, limits=IMPATIENT) for code in ATTEMPTS.values()]
    honest = bench.program(f"def f(): return {NEEDLE!r}", test)
    mixed = [program for bad in hostile for program in (bad, honest)]
    passed = [verdict.passed for verdict in bench.judge.run(mixed)]
    assert passed == [False, True] * len(hostile)


def test_functions_the_test_takes_from_python_cannot_be_supplied(bench):
    code = "def f(): return 5\ndef abs(x): return 0\ndef set(x): return 0\ndef sorted(x): return 0"
    tests = ("assert abs(f() - 1) < 1e-6", "assert set([f()]) == set([1])")
    assert bench(code, *tests).tests_passed == 0


def test_a_test_that_swallows_everything_does_not_pass_a_dead_candidate(bench):
    test = "try:\n    f()\nexcept BaseException:\n    pass\nassert True"
    assert not bench("import os\ndef f(): os._exit(0)", test).passed
    assert not bench("def f():\n    while True: pass", test).passed


def test_an_answer_that_keeps_the_tests_busy_does_not_stall_the_judge(bench):
    limits = Limits(cpu_s=0.2, wall_s=2.0)
    counting = "x = 0\nfor _ in range(f()): x += 1\nassert x"
    verdict = bench("def f(): return 10**9", counting, limits=limits)
    assert verdict.outcome is Outcome.TIMEOUT
    big = bench("def f(): return 10**12", "assert len('x' * f())", limits=limits)
    assert big.outcome is Outcome.FAILED
