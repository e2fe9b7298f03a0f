"""What hostile programs can do to the machine: at every level that works here, nothing."""

import os
from pathlib import Path

import pytest

from voltx_core.errors import JudgeError
from voltx_core.judge import Judge, Limits, Outcome, isolation

# Each attack returns a truthy value, or nothing raised, when it got through.
ATTACKS = {
    "read a private file": "open(place + '/private').read()",
    "list a folder": "os.listdir(place)",
    "write outside scratch": "open(place + '/written', 'w').write('x')",
    "read the home": "os.listdir('/root') or os.listdir('/home')",
    "read the password file": "open('/etc/passwd').read()",
    "see the trainer's secret": "1 / ('VOLTX_SECRET' in os.environ)",
    "read the parent's environment": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "read the parent's memory": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "open an internet socket": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "open a unix socket": "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
    "open a packet socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "fork": "os.fork() or os._exit(0)",
    "start a program": "subprocess.run(['/bin/true'])",
    "replace itself": "os.execv('/bin/true', ['true'])",
    "signal its parent": "os.kill(os.getppid(), 0)",
    "signal its group": "os.killpg(0, 0)",
    "leave its session": "os.setsid()",
    "change a mode": "os.chmod('.', 0o777)",
    "set times": "os.utime('.')",
    "become somebody": "os.setresuid(1, 1, 1)",
    "open memory as a file": "os.memfd_create('x')",
    "trace its parent": "libc(101, 16, os.getppid(), 0, 0)",
    "read another process": "libc(310, os.getppid(), 0, 0, 0, 0, 0)",
    "mount": "libc(165, b'none', b'/scratch', b'tmpfs', 0, 0)",
    "new namespaces": "libc(272, 0x10000000)",
    "load into the kernel": "libc(321, 0, 0, 0)",
    "shared memory": "libc(29, 0, 4096, 0o1666)",
    "a ring of operations": "libc(425, 8, 0)",
    "outlive its parent": "libc(157, 1, 0)",
    "a limit beyond its own": "resource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6))",
    "a core dump": "resource.setrlimit(resource.RLIMIT_CORE, (2, 2))",
    "a big file": "open('big', 'wb').truncate(1 << 30)",
}
BRIEF = Limits(cpu_s=0.2, wall_s=60.0, memory_mib=64)
CODE = """
import ctypes, os, resource, socket, subprocess
_libc = ctypes.CDLL(None, use_errno=True)
def libc(*arguments):
    passed = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    if _libc.syscall(*passed) < 0: raise OSError
def attack(place):
    try:
        {attack}
    except BaseException as error:
        return repr(error)
    return "got through"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("VOLTX_SECRET", "s3cret")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode & 0o777 | 0o005)
    (tmp_path / "private").write_text("x")
    (tmp_path / "private").chmod(0o600)
    return tmp_path


def attack_all(bench, place: Path, wall_s: float = 60.0) -> dict[str, bool]:
    """Which attacks got through."""
    programs = [
        bench.program(
            CODE.format(attack=attack),
            f"assert attack({str(place)!r}) != 'got through'",
            entry_point="attack",
            id=name,
            limits=Limits(cpu_s=0.4, wall_s=wall_s, memory_mib=128),
        )
        for name, attack in ATTACKS.items()
    ]
    verdicts = bench.judge.run(programs)
    return {v.id: not v.passed and v.outcome is not Outcome.CRASHED for v in verdicts}


def test_no_attack_gets_through(leveled, place):
    through = {name for name, won in attack_all(leveled, place).items() if won}
    assert through == set()
    assert not (place / "written").exists()


def test_the_attacks_are_real(bench, place):
    with Judge(workers=1, level="none", allow_unsafe=True) as judge:
        through = attack_all(type(bench)(judge), place, wall_s=2.0)  # one stops its checker
    assert sum(through.values()) >= 12


def test_bombs_go_off_in_the_candidate_alone(leveled):
    bombs = {
        "forks": "import os\nwhile True: os.fork()",
        "memory": "def f():\n    x = []\n    while True: x.append(bytes(1 << 20))",
        "big number": "def f(): return 9 ** 9 ** 9",
        "threads": "import threading, time\n"
        "def f():\n    while True: threading.Thread(target=time.sleep, args=(9,)).start()",
        "files": "def f():\n    for n in range(10**6): open(str(n), 'w').write('x' * 4096)",
        "descriptors": "import os\ndef f():\n    while True: os.dup(0)",
        "disk": "def f():\n    with open('big', 'wb') as file:\n"
        "        while True: file.write(bytes(1 << 20))",
        "folders": "import os\ndef f():\n    while True: os.mkdir('a'); os.chdir('a')",
        "recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()",
    }
    programs = [
        leveled.program(code, "assert f() == 1", id=name, limits=BRIEF)
        for name, code in bombs.items()
    ]
    honest = leveled.program("def f(): return 1", "assert f() == 1")
    verdicts = leveled.judge.run([*programs, *[honest] * 8])
    assert [v.id for v in verdicts[: len(bombs)] if v.passed] == []
    assert all(verdict.passed for verdict in verdicts[len(bombs) :])


def test_scratch_is_writable_private_and_empty_for_every_program(leveled):
    code = "import os\ndef f():\n    found = os.listdir('.')\n    os.mkdir('d')\n"
    code += "    open('d/x', 'w').write('left behind')\n    return found, open('d/x').read()"
    program = leveled.program(code, "assert f() == ([], 'left behind')")
    assert all(verdict.passed for verdict in leveled.judge.run([program] * 6))


def test_modules_that_were_not_preloaded_can_be_imported(leveled):
    verdict = leveled("import sqlite3, xml.dom, difflib, zoneinfo\ndef f(): return 1", "assert f()")
    assert verdict.passed, verdict.detail


def test_a_weaker_level_is_never_taken_for_the_one_asked_for():
    with pytest.raises(JudgeError, match="allow_unsafe=True"):
        Judge(level="none")
    with pytest.raises(JudgeError, match="unknown isolation level 'nss'"):
        Judge(level="nss")
    with pytest.raises(JudgeError, match="at least 1"):
        Judge(workers=0)


def test_isolation_says_what_is_in_force_and_what_is_not():
    found = isolation()
    assert found.level in ("ns", "uid", "seccomp", "none")
    assert found.missing
    assert found.remedy
    if found.level != "none":
        assert "seccomp" in found.enforced
