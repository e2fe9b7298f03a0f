# ruff: noqa: E501 (attacks are quoted as they are)
"""Attacks on time: programs that do not end, and answers that keep the other side busy."""

from voltx_core.data.problem import StdioTest
from voltx_core.judge.attacks.attack import STALL, Attack

_CODES = {
    "loop": "def attack(place):\n    while True: pass",
    "loop while loading": "while True: pass",
    "loop through every exception": """
def attack(place):
    while True:
        try:
            while True: pass
        except BaseException: continue
""",
    "sleep": "import time\ndef attack(place): time.sleep(3600)",
    "sleep while loading": "import time\ntime.sleep(3600)",
    "ignore signals": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def attack(place):
    while True: pass
""",
    "block signals": """
import signal, time
def attack(place):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(3600)
""",
    "stop itself": """
import signal
def attack(place): signal.raise_signal(signal.SIGSTOP)
""",
    "match without end": "import re\ndef attack(place): re.match('(a+)+$', 'a' * 60 + 'b')",
    "count without end": "def attack(place): return 9 ** 9 ** 9",
    "spin in threads": """
import threading, hashlib
def spin():
    data = bytes(1 << 22)
    while True: hashlib.sha256(data).digest()
def attack(place):
    for _ in range(16): threading.Thread(target=spin).start()
    spin()
""",
    "leave a thread asleep": """
import threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
def attack(place): return 1
import sys; sys.exit(0)
""",
    "loop at the end": """
import atexit
def loop():
    while True: pass
atexit.register(loop)
class End:
    def __del__(self): loop()
end = End()
def attack(place): return 1
""",
    "raise its own limits": """
import resource, signal
def attack(place):
    for which in range(16):
        try: resource.setrlimit(which, (-1, -1))
        except (OSError, ValueError): pass
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True: pass
""",
    "take its calls and answer none": "import os\ndef attack(place):\n    while True: os.read(3, 1)",
    "close its channel and go on": """
import os, time
def attack(place):
    os.closerange(0, 99)
    time.sleep(3600)
""",
    "answer byte by byte": """
import os, time
def attack(place):
    while True:
        os.write(4, b"\\0\\0\\1\\0")
        time.sleep(0.05)
""",
    "hold up the reading of its code": """
import os
def attack(place):
    while True: os.write(4, b"\\1\\0\\0\\0N")
""",
    "loop in a comparison": """
class Slow(dict):
    def items(self):
        while True: pass
def attack(place): return Slow()
""",
    "loop in the text of an exception": """
class Slow(Exception):
    def __str__(self):
        while True: pass
def attack(place): raise Slow
""",
    "answer with colliding keys": """
def attack(place): return {n * (2 ** 61 - 1): 0 for n in range(1, 6)}, set(
    n * (2 ** 61 - 1) for n in range(1, 3000))
""",
    "wait for a lock that nobody gives back": """
import threading
def attack(place):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
""",
}

ATTACKS = (
    *(
        Attack(name=name, group="time", code=code, sign="overtime", limits=STALL)
        for name, code in _CODES.items()
    ),
    Attack(
        name="sleep in a whole program",
        group="time",
        code="import time\ntime.sleep(3600)",
        sign="overtime",
        tests=(StdioTest(stdin="", stdout="{needle}"),),
        limits=STALL,
    ),
    Attack(
        name="print and read without end",
        group="time",
        code="import os\nwhile True: os.read(0, 9); os.write(2, b'')",
        sign="overtime",
        tests=(StdioTest(stdin="", stdout="{needle}"),),
        limits=STALL,
    ),
    Attack(
        name="keep the tests busy",
        group="time",
        code="def attack(place): return 10 ** 12",
        sign="overtime",
        tests=("for n in range(attack({place})): pass\nassert {needle!r} == 1",),
        limits=STALL,
    ),
)
