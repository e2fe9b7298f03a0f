# ruff: noqa: E501 (attacks are quoted as they are)
"""Attacks that try to take more than their share. Most bound themselves, so that a success is
noticed and harms nothing."""

from voltx_core.data.problem import StdioTest
from voltx_core.judge.attacks.attack import Attack
from voltx_core.judge.program import Limits

_CODES = {
    "take memory": """
def attack(place):
    kept = []
    for _ in range(900): kept.append(b"x" * (1 << 20))
    time.sleep(0.3)
""",
    "take memory in maps": """
def attack(place):
    import mmap
    kept = []
    for _ in range(90):
        kept.append(mmap.mmap(-1, 10 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1].write(b"x" * (10 << 20))
    time.sleep(0.3)
""",
    "take memory in shared maps": """
def attack(place):
    import mmap
    kept = []
    for _ in range(90):
        kept.append(mmap.mmap(-1, 10 << 20))
        kept[-1].write(b"x" * (10 << 20))
    time.sleep(0.3)
""",
    "take memory as files": """
def attack(place):
    import mmap
    fd = os.memfd_create("big")
    for _ in range(900): os.write(fd, b"x" * (1 << 20))
    kept = mmap.mmap(fd, 900 << 20)
    for at in range(0, 900 << 20, 4096): kept[at]
    time.sleep(0.3)
""",
    "take memory from its allocator": """
def attack(place):
    _libc.malloc.restype = ctypes.c_void_p
    for _ in range(900):
        at = _libc.malloc(1 << 20)
        if not at: break
        ctypes.memset(at, 1, 1 << 20)
    time.sleep(0.3)
""",
    "grow the stack": """
def attack(place):
    import resource, threading
    threading.stack_size(900 << 20)
    def run():
        local = ctypes.create_string_buffer(900 << 20)
        ctypes.memset(local, 1, 900 << 20)
        time.sleep(0.3)
    thread = threading.Thread(target=run); thread.start(); thread.join()
""",
    "start threads": """
def attack(place):
    import threading
    threading.stack_size(32768)
    end = time.time() + 1.5
    for _ in range(400): threading.Thread(target=lambda: time.sleep(end - time.time())).start()
    time.sleep(0.3)
""",
    "start threads by raw calls": """
def attack(place):
    import mmap
    stacks = mmap.mmap(-1, 4 << 20)
    base = ctypes.addressof(ctypes.c_char.from_buffer(stacks))
    code = mmap.mmap(-1, 4096, prot=7)
    # pause(); forever
    code.write(b"\\xb8\\x22\\0\\0\\0\\x0f\\x05\\xeb\\xf7")
    at = ctypes.addressof(ctypes.c_char.from_buffer(code))
    _libc.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    for n in range(400):
        if _libc.clone(at, base + 8192 * (n + 1) - 64, 0x10f00, None) < 0: break
    time.sleep(0.4)
""",
    "start processes": """
def attack(place):
    for _ in range(120):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
    time.sleep(0.3)
""",
    "start processes by a raw call": """
def attack(place):
    for _ in range(120):
        if syscall(place, "clone", 17, 0, 0, 0, 0) == 0:
            time.sleep(1)
            os._exit(0)
    time.sleep(0.3)
""",
    "start programs": """
def attack(place):
    import subprocess
    for _ in range(120): subprocess.Popen(["/bin/sleep", "1"])
    time.sleep(0.3)
""",
    "write one big file": """
def attack(place):
    with open("big", "wb") as file:
        for _ in range(200): file.write(bytes(1 << 20))
    time.sleep(0.3)
""",
    "write many files": """
def attack(place):
    for n in range(50):
        with open(str(n), "wb") as file: file.write(bytes(4 << 20))
    time.sleep(0.3)
""",
    "write files into hidden folders": """
def attack(place):
    os.mkdir("d")
    os.mkdir("d/e", 0o300)
    for n in range(50):
        with open("d/e/" + str(n), "wb") as file: file.write(bytes(4 << 20))
    time.sleep(0.3)
""",
    "write files without names": """
def attack(place):
    import mmap
    kept = []
    for n in range(50):
        with open("x", "w+b") as file:
            file.write(bytes(4 << 20))
            file.flush()
            os.unlink("x")
            kept.append(mmap.mmap(file.fileno(), 4096))
    time.sleep(0.3)
""",
    "reserve disk beyond the end of a file": """
def attack(place):
    fd = os.open("big", os.O_CREAT | os.O_RDWR)
    if _libc.fallocate(fd, 1, ctypes.c_long(0), ctypes.c_long(200 << 20)): raise OSError
    time.sleep(0.3)
""",
    "make many empty files": """
def attack(place):
    for n in range(20000): os.close(os.open(f"f{n}", os.O_CREAT | os.O_WRONLY))
    time.sleep(0.3)
""",
    "make a deep folder": """
def attack(place):
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    time.sleep(0.3)
""",
    "fill pipes": """
def attack(place):
    import fcntl
    kept = []
    for _ in range(700):
        ends = os.pipe()
        os.set_blocking(ends[1], False)
        fcntl.fcntl(ends[1], 1031, 1 << 20)
        kept.append(ends)
        os.write(ends[1], bytes(1 << 20))
    time.sleep(0.3)
""",
    "make the tests take memory": """
def attack(place): return 900 << 20
""",
    "answer with very much": "def attack(place): return [b'x' * (1 << 20)] * 600",
    "answer with very many": "def attack(place): return [[]] * 10_000_000",
    "answer with an endless iterator": """
def attack(place):
    import itertools
    return itertools.repeat("x" * 1000)
""",
    "raise with a boundless text": "def attack(place): raise ValueError('x' * (100 << 20))",
    "take a descriptor for everything": """
def attack(place):
    kept = []
    try:
        while len(kept) < 100_000: kept.append(os.dup(0))
    except OSError: pass
    return open("/dev/null")
""",
}

_GREEDY_TEST = ("assert len('x' * attack({place})) == {needle!r}",)

_BOMBS = {
    "fork without end": "import os\nwhile True: os.fork()",
    "fork in threads without end": """
import os, threading
def go():
    while True:
        try: os.fork()
        except OSError: pass
def attack(place):
    for _ in range(8): threading.Thread(target=go).start()
""",
    "threads without end": """
import threading, time
threading.stack_size(32768)
def attack(place):
    while True: threading.Thread(target=time.sleep, args=(9,)).start()
""",
    "memory without end": "def attack(place):\n    x = []\n    while True: x.append(bytes(1 << 20))",
    "files without end": """
import os
def attack(place):
    n = 0
    while True:
        n += 1
        with open(str(n), "wb") as file: file.write(bytes(1 << 20))
""",
}

ATTACKS = (
    *(
        Attack(
            name=name,
            group="resources",
            code=code,
            sign="growth",
            tests=_GREEDY_TEST if name == "make the tests take memory" else (),
            needs=("x86_64",) if "raw calls" in name else (),
            limits=Limits(cpu_s=1.0, wall_s=20.0, memory_mib=128),
        )
        for name, code in _CODES.items()
    ),
    Attack(
        name="print very much",
        group="resources",
        code="import os\nfor _ in range(900): os.write(1, b'x' * (1 << 20))",
        sign="growth",
        tests=(StdioTest(stdin="", stdout="{needle}"),),
    ),
    Attack(
        name="complain very much",
        group="resources",
        code="import os\nfor _ in range(900): os.write(2, b'x' * (1 << 20))",
        sign="growth",
        tests=(StdioTest(stdin="", stdout="{needle}"),),
    ),
    *(
        Attack(
            name=name,
            group="resources",
            code=code,
            sign="growth",
            unbounded="it takes everything until it is stopped",
            limits=Limits(cpu_s=0.2, wall_s=3.0, memory_mib=128),
        )
        for name, code in _BOMBS.items()
    ),
)
