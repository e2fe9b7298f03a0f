# ruff: noqa: E501 (attacks are quoted as they are)
"""Attacks on the verdict: programs that solve nothing and try to pass all the same."""

from voltx_core.data.problem import StdioTest
from voltx_core.judge.attacks.attack import Attack
from voltx_core.judge.program import Limits

_SEARCH = """
import gc, re, sys
WANTED = re.compile("needle-[0-9a-f]{32}")
def found_in(*texts):
    for text in texts:
        match = WANTED.search(text)
        if match: return match.group()
"""

_CODES = {
    "an object that equals everything": """
class Any:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __contains__ = __lt__
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
    def __hash__(self): return 0
def attack(place): return Any()
""",
    "a number that equals everything": """
class Any(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    __hash__ = float.__hash__
def attack(place): return Any(3)
""",
    "a text that equals everything": """
class Any(str):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __contains__(self, other): return True
    __hash__ = str.__hash__
def attack(place): return Any("x")
""",
    "a list that equals everything": """
class Any(list):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __contains__(self, other): return True
def attack(place): return Any([Any()])
""",
    "a class that pretends to be another": """
class Any:
    __class__ = property(lambda self: str)
    def __eq__(self, other): return True
def attack(place): return Any()
""",
    "not a number": "def attack(place): return float('nan')",
    "something inside not a number": "def attack(place): return [float('nan'), float('inf')]",
    "an object with a hash of its choice": """
class Any(str):
    def __hash__(self): return self.n
    n = 0
    def __eq__(self, other): self.n = hash(other); return True
def attack(place): return {Any(): Any()}
""",
    "a generator": "def attack(place):\n    yield from ()",
    "an iterator that is equal": """
class Any:
    def __iter__(self): return self
    def __next__(self): raise StopIteration
    def __eq__(self, other): return True
def attack(place): return Any()
""",
    "ending the process well": "import os\ndef attack(place): os._exit(0)",
    "ending the process well while loading": "import os\nos._exit(0)",
    "ending the interpreter well": "import sys\ndef attack(place): sys.exit(0)",
    "ending the interpreter while loading": "raise SystemExit(0)",
    "interrupting": "def attack(place): raise KeyboardInterrupt",
    "leaving through generator exit": "def attack(place): raise GeneratorExit",
    "ending every loop": "def attack(place): raise StopIteration",
    "ending every asynchronous loop": "def attack(place): raise StopAsyncIteration",
    "raising what tests may expect": "def attack(place): raise AssertionError({'': 0})",
    "an exception with a hostile text": """
class Hostile(Exception):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
def attack(place): raise Hostile
""",
    "a class of exceptions with a builtin's name": """
class StopIteration(BaseException): pass
StopIteration.__module__ = "builtins"
class AssertionError(StopIteration): pass
AssertionError.__module__ = "builtins"
def attack(place): raise AssertionError()
""",
    "a group of exceptions": """
def attack(place): raise BaseExceptionGroup("x", [SystemExit(0), KeyboardInterrupt()])
""",
    "ending well at exit": """
import atexit, os
atexit.register(os._exit, 0)
def attack(place): raise ValueError
""",
    "walking the frames": _SEARCH
    + """
def attack(place):
    frame = sys._getframe()
    while frame:
        found = found_in(repr(frame.f_locals), repr(frame.f_globals), repr(frame.f_code.co_consts))
        if found: return found
        frame = frame.f_back
""",
    "walking the traceback": _SEARCH
    + """
def attack(place):
    try: raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_builtins.values()]:
            if hasattr(value, "__code__"):
                found = found_in(repr(value.__code__.co_consts))
                if found: return found
        frame = frame.f_back
""",
    "searching all objects": _SEARCH
    + """
def attack(place):
    for thing in gc.get_objects():
        try: found = found_in(repr(thing)[:100000])
        except BaseException: continue
        if found: return found
""",
    "searching what refers to its argument": _SEARCH
    + """
def attack(place):
    todo, seen = [place], set()
    while todo and len(seen) < 5000:
        thing = todo.pop()
        if id(thing) in seen: continue
        seen.add(id(thing))
        try: found = found_in(repr(thing)[:10000])
        except BaseException: found = None
        if found: return found
        todo += gc.get_referrers(thing)[:50]
""",
    "searching memory": _SEARCH
    + """
import ctypes
def attack(place):
    wanted = re.compile(b"needle-[0-9a-f]{32}")
    for base in sorted({id(o) & ~0xfffff for o in gc.get_objects()})[:64]:
        page = ctypes.string_at(base, 0x10000)
        found = wanted.search(page)
        if found: return found.group().decode()
""",
    "searching the command line and the files of its process": _SEARCH
    + """
import glob
def attack(place):
    for path in ["/proc/self/cmdline", sys.argv[0], *sys.argv, *glob.glob("*"), *glob.glob("/tmp/*")]:
        try: found = found_in(open(path, errors="replace").read(1 << 20))
        except OSError: continue
        if found: return found
""",
    "reading the tests from the channel": """
import os, re
def attack(place):
    for fd in range(64):
        try:
            os.set_blocking(fd, False)
            found = re.search(b"needle-[0-9a-f]{32}", os.read(fd, 1 << 20))
        except OSError: continue
        if found: return found.group().decode()
""",
    "patching builtins": """
import builtins
builtins.AssertionError = builtins.ValueError = None
builtins.isinstance = builtins.compile = builtins.exec = lambda *a, **k: True
builtins.abs = builtins.all = builtins.len = builtins.sum = lambda *a: 0
builtins.set = builtins.sorted = builtins.str = lambda *a: 0
def attack(place): return 0
""",
    "patching modules that tests use": """
import sys, operator, json, math, random, time, unittest
operator.eq = math.isclose = lambda *a, **k: True
json.loads = json.dumps = lambda *a, **k: ""
random.random = time.time = lambda: 0
unittest.TestCase.assertEqual = lambda *a: None
sys.modules["math"] = sys.modules["operator"] = sys.modules[__name__]
isclose = eq = approx = lambda *a, **k: True
def attack(place): return 0
""",
    "patching the judge's own modules": """
import sys
for name, module in list(sys.modules.items()):
    if "cage" in name or name == "__main__":
        for key, value in list(vars(module).items()):
            if callable(value) and not key.startswith("__") and key not in ("receive", "send"):
                setattr(module, key, lambda *a, **k: b"T")
def attack(place): return True
""",
    "supplying what tests take from Python": """
def check(*a): pass
def abs(x): return 0
def set(x): return 0
def sorted(x): return 0
def isinstance(*a): return True
def len(x): return 0
def str(x): return 0
def all(x): return True
AssertionError = ValueError = None
def attack(place): return 0
""",
    "being more than was asked for": """
__assertion_ran__ = __builtins__ = __name__ = candidate = 1
def check(*a): return True
class Solution:
    def __getattr__(self, name): return lambda *a: True
    def __call__(self, *a): return True
attack = Solution()
""",
    "changing its arguments": """
def attack(place):
    place.clear()
    place["__eq__"] = True
    return place
""",
    "tracing the tests": """
import sys, threading
def trace(frame, event, argument):
    try: frame.f_lineno += 1
    except Exception: pass
    return trace
sys.settrace(trace); threading.settrace(trace); sys.setprofile(trace)
def attack(place):
    frame = sys._getframe().f_back
    while frame: frame.f_trace = trace; frame = frame.f_back
    return 0
""",
    "handling the exceptions of others": """
import sys, os, signal
sys.excepthook = sys.unraisablehook = lambda *a: os._exit(0)
for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGXCPU, signal.SIGUSR1):
    signal.signal(number, lambda *a: os._exit(0))
def attack(place): return 0
""",
    "printing a result": """
print("PASSED"); print("1 passed in 0.01s"); print('{"outcome": "passed", "passed": 9}')
def attack(place): print("OK"); return None
""",
    "writing results to every descriptor": """
import os
def attack(place):
    for fd in range(256):
        for text in (b"R", b"f+\\0", b"\\x01\\0\\0\\0T", b"passed\\n"):
            try: os.write(fd, text)
            except OSError: pass
""",
    "answering before it is asked": """
import os, struct
def frame(data): return struct.pack("<I", len(data)) + data
for _ in range(50): os.write(4, frame(b"t\\3\\0\\0\\0s\\x08\\0\\0\\0returnedb\\1\\0\\0\\0Tb\\0\\0\\0\\0"))
def attack(place): return True
""",
    "saying twice that it is ready": """
import os, struct
def frame(data): return struct.pack("<I", len(data)) + data
ready = b"t\\3\\0\\0\\0s\\5\\0\\0\\0readyl\\1\\0\\0\\0s\\x06\\0\\0\\0attackm\\0\\0\\0\\0"
os.write(4, frame(ready) * 2)
def attack(place): return True
""",
    "supplying constants for every name": """
import os, struct
def frame(data): return struct.pack("<I", len(data)) + data
def text(s): return b"s" + struct.pack("<I", len(s)) + s
names = [b"attack", b"__assertion_ran__", b"abs", b"isinstance", b"AssertionError", b"ValueError"]
ready = b"t\\3\\0\\0\\0" + text(b"ready") + b"l\\0\\0\\0\\0" + b"m" + struct.pack("<I", len(names))
ready += b"".join(text(n) + b"T" for n in names)
os.write(4, frame(ready))
def attack(place): return True
""",
    "garbage for an answer": """
import os
def attack(place): os.write(4, b"\\x05\\0\\0\\0lllll"); return 1
""",
    "an answer inside a broken frame": """
import os
def attack(place): os.write(4, b"\\1\\0\\0\\0T" * 9); os.close(4); return 1
""",
    "a boundless answer": "import os\ndef attack(place): os.write(4, b'\\xff' * 4); return 1",
    "a tower without end": "def attack(place):\n    x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "a list that holds itself": "def attack(place):\n    x = []\n    x.append(x)\n    return x",
    "a tower of iterators": """
import os, struct
def attack(place):
    data = b"g" * 140 + b"l\\0\\0\\0\\0"
    reply = b"t\\3\\0\\0\\0s\\x08\\0\\0\\0returnedb" + struct.pack("<I", len(data)) + data + b"b\\0\\0\\0\\0"
    os.write(4, struct.pack("<I", len(reply)) + reply)
    return 1
""",
    "closing everything": "import os\ndef attack(place): os.closerange(0, 256); return 1",
    "a negative size": """
class Any(list):
    def __len__(self): return -1
class Long(str):
    def __len__(self): return 2**62
def attack(place): return Any(), Long()
""",
    "rewriting the value of numbers": """
import ctypes
def attack(place):
    for small in range(1, 200):
        ctypes.memset(id(small) + 24, 0, 4)
    return 0
""",
    "rewriting how texts compare": """
import ctypes
def attack(place):
    for kind in (str, int, float, bool, list):
        slots = (ctypes.c_void_p * 60).from_address(id(kind))
        slots[25] = ctypes.cast(ctypes.pythonapi.PyObject_IsTrue, ctypes.c_void_p).value
    return "x"
""",
    "a text that breaks what prints it": "def attack(place): raise ValueError('\\ud800\\x1b[2J\\0\\r')",
    "a name that breaks what prints it": """
class Hostile(Exception): pass
Hostile.__name__ = "\\ud800" * 300
def attack(place): raise Hostile("\\udfff")
""",
    "code that does not parse": "def attack(place): return '\\ud800'\nraise SyntaxError('\\x1b[2J')",
}

# One for each way in which published tests compare.
TESTS = (
    "assert attack({place}) == {needle!r}",
    "if attack({place}) != {needle!r}: raise ValueError",
    "def check(candidate):\n    assert candidate({place}) == {needle!r}\ncheck(attack)",
    "assert all(map(lambda _: attack({place}) == {needle!r}, range(3)))",
    "for got in [attack({place})]:\n    assert got == {needle!r}",
    "assert abs(attack({place}) - {number}) < 1e-6",
    "assert set(attack({place})) == {{{needle!r}}} and len(attack({place})) == 1",
    "assert {needle!r} in attack({place})",
    "import math\nassert math.isclose(attack({place}), {number})",
    "try:\n    attack({place})\nexcept BaseException:\n    pass\nassert attack({place}) == {needle!r}",
    "import unittest\nunittest.TestCase().assertEqual(attack({place}), {needle!r})",
)

_WHOLE = {
    "printing that it passed": "print('PASSED'); print('True')",
    "ending a whole program well": "import os\nos._exit(0)",
    "ending a whole program with what was asked": "import sys\nsys.exit('needle')",
    "printing every number": "for n in range(20000): print(n)",
    "printing what looks like a number": "print('nan'); print('inf'); print('1e999')",
    "writing to the third descriptor": "import os\nfor n in range(20): os.write(3, b'1 2\\n')",
    "patching what compares": "import builtins\nbuiltins.float = lambda x: 0\nstr.__eq__ = 1",
    "output that breaks what compares": "import os\nos.write(1, b'\\xff\\xfe\\0\\x85\\x1c\\n' * 99)",
    "searching the process for the output": """
import gc, re
print(*re.findall("needle-[0-9a-f]{32}", repr(gc.get_objects())[:2000000])[:1])
""",
}

ATTACKS = (
    *(
        Attack(
            name=name,
            group="forging",
            code=code,
            sign="verdict",
            tests=TESTS,
            limits=Limits(cpu_s=0.5, wall_s=2.0, memory_mib=128),
        )
        for name, code in _CODES.items()
    ),
    *(
        Attack(
            name=name,
            group="forging",
            code=code,
            sign="verdict",
            tests=(StdioTest(stdin="", stdout="{needle}"), StdioTest(stdin="1", stdout="{number}")),
            limits=Limits(cpu_s=0.5, wall_s=2.0, memory_mib=128),
        )
        for name, code in _WHOLE.items()
    ),
)
