"""Nothing of one run is there in the next: files, processes, kernel objects, changed state."""

import os
from pathlib import Path

import psutil
import pytest

from voltx_core.judge import Judge, Limits, Program

LIMITS = Limits(cpu_s=2.0, wall_s=60.0, memory_mib=256)
LEAVE = """
import builtins, ctypes, json, mmap, os, random, resource, signal, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try: return action()
    except BaseException: pass
def posix_object(path):
    with open(path, "w") as file: file.write("left behind")
def system_call(number, *arguments):
    passed = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    return libc.syscall(ctypes.c_long(number), *passed)
def f(where):
    attempt(lambda: os.makedirs("deep/er", exist_ok=True))
    for path in ("deep/er/file", ".hidden"): attempt(lambda: posix_object(path))
    attempt(lambda: os.mkfifo("pipe"))
    attempt(lambda: os.symlink("/", "root"))
    attempt(lambda: os.chdir("deep")); os.umask(0o777)
    for path in ("/dev/shm/left", "/tmp/left", where + "/left"):
        attempt(lambda: posix_object(path))
    for kind in (29, 64, 68):                                       # shmget, semget, msgget
        attempt(lambda: system_call(kind, 4242, 1 if kind == 64 else 4096, 0o1666))
    attempt(lambda: system_call(68, 4242, 0o1666))
    attempt(lambda: system_call(240, b"/left", 0o102, 0o666, 0))    # mq_open
    attempt(lambda: system_call(165, b"none", b".", b"tmpfs", 0, 0))  # mount
    attempt(lambda: system_call(272, 0x20000))                      # unshare
    def child():
        if os.fork() == 0: os.setsid(); signal.pause()
    attempt(child)
    attempt(lambda: threading.Thread(target=signal.pause, daemon=True).start())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.environ["LEFT"] = "behind"; random.seed(7); sys.path.append("/left")
    builtins.left = json.left = sys.modules["left"] = "behind"
    sys.setrecursionlimit(77)
    attempt(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)))
    return "done"
"""
LOOK = """
import builtins, ctypes, json, os, random, resource, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def f(where):
    found = []
    try: found += os.listdir(".")
    except PermissionError: pass  # as levels go; nothing can be stored there
    for path in ("/dev/shm/left", "/tmp/left", where + "/left", "/dev/mqueue/left"):
        try: os.close(os.open(path, os.O_RDONLY))
        except OSError: continue
        found.append(path)
    for kind, *arguments in ((29, 4096, 0), (64, 1, 0), (68, 0)):
        if libc.syscall(kind, 4242, *arguments) >= 0: found.append(f"kernel object {kind}")
    mask = os.umask(0o22)
    state = {
        "umask": mask == 0o777,
        "ignored": signal.getsignal(signal.SIGTERM) == signal.SIG_IGN,
        "blocked": bool(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "environment": "LEFT" in os.environ,
        "builtins": hasattr(builtins, "left") or hasattr(json, "left"),
        "modules": "left" in sys.modules or "/left" in sys.path,
        "random": random.random() != random.Random(0).random(),
        "recursion": sys.getrecursionlimit() == 77,
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 20,
    }
    return found + [name for name, left in state.items() if left]
"""


@pytest.fixture
def lone(leveled):
    """A judge with one slot, so that every program follows the one before it."""
    with Judge(workers=1, level=leveled.judge.level) as judge:
        yield judge


def program(name: str, code: str, expected: str, where: Path) -> Program:
    test = f"assert f({str(where)!r}) == {expected}"
    return Program(id=name, code=code, tests=(test,), entry_point="f", limits=LIMITS)


def kernel_objects() -> list[str]:
    lines = []
    for kind in ("shm", "sem", "msg"):
        path = Path("/proc/sysvipc") / kind
        lines += path.read_text().splitlines() if path.exists() else []
    queues, memory = Path("/dev/mqueue"), Path("/dev/shm")
    return [
        *(line for line in lines if " 4242 " in line),
        *(path.name for place in (queues, memory) if place.exists() for path in place.glob("left")),
    ]


@pytest.mark.parametrize("mode", ["split", "inproc"])
def test_a_run_finds_nothing_of_the_one_before(lone, tmp_path, mode):
    from dataclasses import replace

    leave = replace(program("leave", LEAVE, "'done'", tmp_path), assurance=mode)
    look = replace(program("look", LOOK, "[]", tmp_path), assurance=mode)
    verdicts = lone.run([look, leave, look, leave, leave, look])
    assert [verdict.detail for verdict in verdicts] == [""] * 6
    assert all(verdict.passed for verdict in verdicts)
    assert kernel_objects() == []
    assert list(tmp_path.iterdir()) == []
    assert not Path("/tmp/left").exists()


def test_processes_that_leave_their_session_are_ended_even_without_isolation(tmp_path):
    mark = tmp_path / "pids"
    code = f"""
import os, time
def f(where):
    for n in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                with open({str(mark)!r}, "a") as file: file.write(f"{{os.getpid()}}\\n")
                time.sleep(1000)
            os._exit(0)
    while not os.path.exists({str(mark)!r}) or len(open({str(mark)!r}).readlines()) < 3:
        time.sleep(0.01)
    return "done"
"""
    with Judge(workers=1, level="none", allow_unsafe=True) as judge:
        (verdict,) = judge.run([program("leave", code, "'done'", tmp_path)])
        assert verdict.passed, verdict.detail
        pids = [int(line) for line in mark.read_text().splitlines()]
        assert len(pids) == 3
        assert not any(is_running(pid) for pid in pids)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_slot_holds_as_many_descriptors_and_processes_after_a_hundred_runs_as_after_one(
    lone, settled
):
    honest = program("p", "def f(x): return 1", "1", Path("/"))
    hostile = program("h", "import os\ndef f(x):\n    while True: os.dup(0)", "1", Path("/"))

    def held() -> tuple[int, int]:
        below = psutil.Process().children(recursive=True)
        return len(below), sum(len(os.listdir(f"/proc/{p.pid}/fd")) for p in below)

    lone.run([honest, hostile])
    before = settled(held)
    lone.run([honest, hostile] * 50)
    assert settled(held) == before
