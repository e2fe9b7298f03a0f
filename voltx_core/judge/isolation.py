"""Which isolation works on this machine, found by trying to break out of it."""

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

from voltx_core.errors import JudgeError
from voltx_core.judge.cage.values import decode
from voltx_core.judge.cage.wire import CALLS
from voltx_core.judge.program import Limits, Outcome, Program
from voltx_core.judge.slot import Slot, SlotLost
from voltx_core.judge.trial import PythonTrial

LEVELS = ("ns", "uid", "seccomp")
_REMEDIES = {
    "ns": "this is the strongest level",
    "uid": "for `ns`, run where namespaces are allowed: a virtual machine, or a container started "
    "with --privileged or --security-opt seccomp=unconfined --cap-add SYS_ADMIN",
    "seccomp": "for `uid`, run as root inside the container; for `ns`, run where user namespaces "
    "are allowed (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0)",
    "none": "run on Linux 5.13 or newer on x86_64 or aarch64, with seccomp filters",
}
_TO_GET = {
    "ns": _REMEDIES["uid"],
    "uid": "for `uid`, run as root",
    "seccomp": f"for `seccomp`, {_REMEDIES['none']}",
}
_SCRATCH = (
    "no file system of its own bounds scratch: a program that makes or changes a file gets a "
    "PermissionError, and what a compiler stores is looked at 20 times a second, beside a limit on "
    "each file"
)
_NATIVE = (
    "Python programs cannot ask about files nor list folders, and the modules of the standard "
    "library that link a native library are not all there (no sqlite3, ssl, lzma, bz2, XML parser, "
    "East Asian codecs)"
)
_METADATA = (
    "where a path is known or guessed, it can be found out whether there is a file, and programs "
    "of other languages than Python learn how large and how old it is"
)
_MISSING = {
    "ns": (
        "one set of namespaces serves all runs of a slot, one after the other; nothing that "
        "outlasts a process can be made there, and it is emptied in between",
    ),
    "uid": (
        _SCRATCH,
        _METADATA,
        _NATIVE,
        "files that everyone may read or write stay so where the kernel has no Landlock; none can "
        "be made, removed or grown there",
    ),
    "seccomp": (
        _SCRATCH,
        _METADATA,
        _NATIVE,
        "candidates run under your own uid, so Python programs get no threads and those of other "
        "languages have no limit of their own on them",
        "where the kernel has no Landlock, no path can be opened: only preloaded modules import",
    ),
    "none": ("everything but resource and time limits",),
}

# Returns what it managed to do; every entry is a hole.
_ATTACK = """
import os
def attack(canary):
    won = []
    def attempt(name, action):
        try:
            action()
        except BaseException:
            return
        won.append(name)
    def child():
        if os.fork() == 0:
            os._exit(0)
    attempt("read a private file", lambda: open(canary).read())
    attempt("write outside scratch", lambda: open(canary + ".new", "w"))
    attempt("start a process", child)
    attempt("start a program", lambda: os.posix_spawn("/bin/true", ["true"], {}))
    attempt("signal its parent", lambda: os.kill(os.getppid(), 0))
    attempt("read another process", lambda: open(f"/proc/{os.getppid()}/environ").read())
    attempt("open a socket", lambda: __import__("_socket").socket(2, 1))
    attempt("become root", lambda: os.setuid(0) if os.getuid() else 1 / 0)
    return won
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Isolation:
    """What protects this machine from the programs the judge runs.

    Attributes:
        level: the strongest level that works: ``ns``, ``uid``, ``seccomp`` or ``none``.
        enforced: mechanisms in force at that level.
        missing: what that level does not enforce.
        why: for each stronger level that does not work here, the reason.
        remedy: how to get a stronger level.
    """

    level: str
    enforced: tuple[str, ...]
    missing: tuple[str, ...]
    why: dict[str, str]
    remedy: str


_proven: dict[str, tuple[str, ...] | str] = {}


def isolation() -> Isolation:
    """Find the strongest level that works here, by an attack on each from the strongest down.

    The first call starts processes (about 0.1 s); the answer is kept for this process.
    """
    why: dict[str, str] = {}
    for level in LEVELS:
        proof = _prove(level)
        if not isinstance(proof, str):
            return Isolation(
                level=level,
                enforced=proof,
                missing=_MISSING[level],
                why=why,
                remedy=_REMEDIES[level],
            )
        why[level] = proof
    return Isolation(
        level="none", enforced=(), missing=_MISSING["none"], why=why, remedy=_REMEDIES["none"]
    )


def resolve_level(level: str, *, allow_unsafe: bool) -> str:
    """The level to use for what was asked; an explicit one never becomes a weaker one.

    Raises:
        JudgeError: it is unknown, does not work here, or is unsafe and was not allowed.
    """
    if level == "auto":
        found = isolation()
        if found.level != "none":
            return found.level
        reasons = "; ".join(f"{name}: {why}" for name, why in found.why.items())
        raise JudgeError(
            f"no isolation level works on this machine ({reasons}). To get one: {found.remedy}. "
            "To run hostile code without isolation all the same, pass level='none' and "
            "allow_unsafe=True"
        )
    if level == "none":
        if not allow_unsafe:
            raise JudgeError(
                "level 'none' runs hostile code with your own rights; pass allow_unsafe=True to "
                "accept that, or level='auto'"
            )
        return level
    if level not in LEVELS:
        raise JudgeError(
            f"unknown isolation level {level!r}; use auto, {', '.join(LEVELS)} or none"
        )
    proof = _prove(level)
    if isinstance(proof, str):
        raise JudgeError(
            f"isolation level {level!r} does not work here: {proof}. Either {_TO_GET[level]}; "
            "or pass level='auto' to use the strongest level that works"
        )
    return level


def _prove(level: str) -> tuple[str, ...] | str:
    """The mechanisms in force at a level, or why it cannot be used."""
    if level not in _proven:
        _proven[level] = _attack(level)
    return _proven[level]


def _attack(level: str) -> tuple[str, ...] | str:
    if level == "uid" and os.geteuid() != 0:
        return "it needs root"
    home = Path(tempfile.mkdtemp(prefix="voltx-judge-probe-"))
    home.chmod(0o711)
    canary = home / "canary"
    canary.touch(mode=0o600)
    try:
        return _attack_slot(level, home, str(canary))
    except (JudgeError, SlotLost, OSError) as error:
        return str(error)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _attack_slot(level: str, home: Path, canary: str) -> tuple[str, ...] | str:
    slot = Slot(level=level, home=home, name="probe", warm=True)
    slot.await_ready()
    try:
        good = _run(slot, f"assert attack({canary!r}) == []")
        bad = _run(slot, "assert attack(1) == [1]")
    finally:
        slot.close()
    if good[0] != Outcome.PASSED:
        return f"the self-attack got through or did not run: {good[1]}"
    if bad[0] != Outcome.FAILED:
        return f"a failing program was judged {bad[0]}"
    return slot.enforced


def _run(slot: Slot, test: str) -> tuple[str, str]:
    program = Program(
        id="probe", code=_ATTACK, tests=(test,), entry_point="attack", limits=Limits(wall_s=30)
    )
    order = PythonTrial(program).next_order()
    assert order
    slot.submit(CALLS, order.content, order.wall_s, 0.0)
    slot.request.setblocking(True)
    try:
        while (reply := slot.step()) is None:
            pass
    finally:
        slot.request.setblocking(False)
    if not reply.report:
        return "crashed", "the checker died"
    seen = decode(reply.report)
    return seen["outcome"], seen["detail"]
