"""What hostile programs can do to the machine: at every level that works here, nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.errors import JudgeError
from voltx_core.judge import Judge, Limits, Outcome, Program, isolation

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


def test_scratch_is_writable_private_and_empty_where_a_file_system_bounds_it(leveled):
    if leveled.judge.level != "ns":
        pytest.skip("nothing can be stored at this level")
    code = "import os\ndef f():\n    found = os.listdir('.')\n    os.mkdir('d')\n"
    code += "    open('d/x', 'w').write('left behind')\n    return found, open('d/x').read()"
    program = leveled.program(code, "assert f() == ([], 'left behind')")
    assert all(verdict.passed for verdict in leveled.judge.run([program] * 6))


STORING = {
    "a file": "open('x', 'w')",
    "a folder": "os.mkdir('x')",
    "a link": "os.symlink('/', 'x')",
    "a pipe": "os.mkfifo('x')",
    "a file without a name": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "a socket": "socket.socket(socket.AF_UNIX).bind('x')",
    "a file in shared memory": "open('/dev/shm/voltx-x', 'w')",
    "a file for everybody": "open('/tmp/voltx-x', 'w')",
}


def stores(judge: Judge, **more: str) -> dict[str, str]:
    """What programs made in spite of the level, and what the others were told."""
    code = "import os, socket\ndef f():\n    {action}\n    return os.listdir('.')"
    programs = [
        Program(
            id=name,
            code=code.format(action=action),
            tests=("assert f() == 1",),
            entry_point="f",
            **more,
        )
        for name, action in STORING.items()
    ]
    verdicts = judge.run(programs)
    return {v.id: v.detail for v in verdicts if "PermissionError: [Errno" not in v.detail}


@pytest.mark.parametrize("assurance", ["split", "inproc"])
def test_a_program_that_stores_where_nothing_bounds_it_is_refused_and_told_so(leveled, assurance):
    if leveled.judge.level == "ns":
        pytest.skip("a file system bounds scratch at this level")
    assert stores(leveled.judge, assurance=assurance) == {}
    script = Program(
        id="script",
        code="print('before')\nopen('x', 'w')\nprint('after')",
        tests=(StdioTest(stdin="", stdout="before\nafter\n"),),
    )
    (verdict,) = leveled.judge.run([script])
    assert "PermissionError" in verdict.detail


def test_a_device_is_written_to_at_every_level(leveled):
    code = "def f():\n    with open('/dev/null', 'w') as file: return file.write('x')"
    verdict = leveled(code, "assert f() == 1")
    assert verdict.passed, verdict.detail


STORING_SCRIPT = """
const files = require("fs");
function f(path) {
  try { files.writeFileSync(path, "x"); return "stored"; } catch (error) { return error.code; }
}
"""


def test_a_program_of_another_language_stores_nothing_where_nothing_bounds_it(leveled):
    if not leveled.judge.toolchain("javascript").available:
        pytest.skip("JavaScript cannot be judged here")
    stored = "stored" if leveled.judge.level == "ns" else "EACCES"
    tests = [f"assert(f('x') === '{stored}')", "assert(f('/dev/null') === 'stored')"]
    # Its own source, which exists: it cannot be cut or overwritten either.
    tests += [f"assert(f('main.js') === '{stored}')"]
    limits = Limits(cpu_s=5.0, wall_s=60.0)
    verdict = leveled(STORING_SCRIPT, *tests, language="javascript", limits=limits)
    assert verdict.passed, verdict.detail


WITHOUT_LANDLOCK = """
import struct, sys
sys.path.insert(0, sys.argv[2])
from test_isolation import stores
from voltx_core.judge import Judge
from voltx_core.judge.cage import bpf, landlock

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
program = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, 444), (RETURN, 0, 0, 0x50026), (RETURN, 0, 0, 0x7FFF0000)]
bpf.install(b"".join(struct.pack("<HBBI", *one) for one in program))
assert landlock.abi() == 0
with Judge(workers=1, level=sys.argv[1]) as judge:
    print(stores(judge))
"""


@pytest.mark.parametrize("level", ["uid", "seccomp"])
def test_a_program_stores_nothing_on_a_kernel_without_landlock_either(level):
    if level == "uid" and os.geteuid() != 0:
        pytest.skip("this level needs root")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, level, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "{}", done.stderr


def test_modules_that_were_not_preloaded_can_be_imported(leveled):
    modules = "asyncio, csv, ctypes, difflib, logging, queue, socket, threading, xml.dom, zoneinfo"
    verdict = leveled(f"import {modules}\ndef f(): return 1", "assert f()")
    assert verdict.passed, verdict.detail


def test_native_libraries_are_linked_where_no_path_of_others_can_be_named(leveled):
    verdict = leveled("import sqlite3\ndef f(): return 1", "assert f()")
    if leveled.judge.level == "ns":
        assert verdict.passed, verdict.detail
    else:
        assert "_sqlite3: it is a native library" in verdict.detail


def test_a_file_of_others_cannot_be_measured_by_its_path(leveled, tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "sized"
    path.write_text("x" * 1221)
    calls = ("os.stat(path)", "os.fstat(os.open(path, os.O_PATH))", "os.statvfs(path)")
    for call in calls:
        code = f"import os\ndef f(path): return {call}[:]"
        verdict = leveled(code, f"assert f({str(path)!r}) is None")
        assert "Error: [Errno" in verdict.detail, verdict.detail


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
