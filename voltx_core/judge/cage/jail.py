"""The jail: what a zygote does to itself once, and what a candidate does to itself each time.

=========  ==========================================================================
level      what is in force
=========  ==========================================================================
``ns``     own user or uid, mount, pid, net, ipc and uts namespaces; a private root that
           holds only the interpreter and libraries, read-only; scratch is a size-limited
           tmpfs; outer and inner seccomp filters; Landlock too where present
``uid``    an unused uid leased for the slot, no capabilities; both filters; Landlock
           where present (without it world-readable files stay readable); no file can be
           made, changed in size or removed; Python programs cannot ask about files
``seccomp``  the caller's own uid, no capabilities; both filters; Landlock where present,
           else no system calls that take a path; files as at ``uid``
``none``   resource limits and time limits only
=========  ==========================================================================

All levels: limits on CPU time, address space, file size, descriptors, no core dumps, an own
session, death with the supervisor. Namespaces are per slot, not per run: the filters refuse every
kernel object and mount that could outlast a process, and between runs all processes are killed and
scratch is emptied. A set per run would need the big outer filter per run, too, which has to refuse
new namespaces. At ``uid`` and ``seccomp`` no file system bounds scratch, so a program that writes a
file there gets a PermissionError; compilers, which are trusted, may write, and what they store is
watched. Not enforced: a limit of its own on the number of threads at ``seccomp``, where the
kernel counts them with all others of the user: Python programs get none there.
"""

import contextlib
import os
import resource
import signal
from dataclasses import dataclass

from . import bpf, kernel, landlock, namespaces, seccomp

_MAX_DESCRIPTORS = 64
_MAX_THREADS = 64
_MAX_TASKS_TO_COME = 256
"""How many more threads its user may start elsewhere before a candidate cannot start its own."""
_MAX_FILE_BYTES, _MAX_BUILD_BYTES = 16 << 20, 64 << 20  # the latter is all that scratch holds
_DEVICES = ("/dev/null", "/dev/zero")


@dataclass(frozen=True)
class Jail:
    """What one zygote locks itself into.

    Attributes:
        level: ``ns``, ``uid``, ``seccomp`` or ``none``.
        scratch: an existing folder, private to the slot; becomes the working directory.
        readable: folders and files that stay readable and executable.
        uid: the leased uid to become; None to stay what one is.
        foreign: programs of other languages run here, whose runtimes want /proc and whose
            compilers store files in scratch.
    """

    level: str
    scratch: str
    readable: tuple[str, ...]
    uid: int | None = None
    foreign: bool = False

    @property
    def stores(self) -> bool:
        """Whether programs may make files: where a file system bounds them, or nothing does."""
        return self.level in ("ns", "none")

    @property
    def hides_files(self) -> bool:
        """Whether Python programs must not learn of files by path: any path can be named here."""
        return self.level in ("uid", "seccomp") and not self.foreign

    @property
    def fills_scratch(self) -> bool:
        """Whether a run can leave anything in scratch."""
        return self.stores or self.foreign


@dataclass(frozen=True)
class Confinement:
    """What candidates of one kind may do."""

    may_exec: bool = False
    may_build: bool = False
    """It is a compiler: it may start processes, make files and set their modes."""
    address_space: bool = True
    """Limit address space; runtimes that reserve far more than they use get RLIMIT_DATA."""


def enter(jail: Jail) -> list[str]:
    """Lock this process in; returns what is in force, in words. At ``ns`` it returns in a child.

    Raises:
        OSError: a mechanism that the level requires does not work here.
    """
    # Too small for any dump; and unlike 0 it also keeps dumps from a program that collects them.
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    if jail.level == "none":
        os.chdir(jail.scratch)
        return ["resource limits"]
    enforced = []
    scratch = jail.scratch
    if jail.level == "ns":
        namespaces.enter(scratch, jail.readable, uid=jail.uid, proc=jail.foreign)
        scratch = namespaces.SCRATCH
        enforced.append("namespaces with a private root")
    os.chdir(scratch)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if landlock.abi():  # while its paths can still be opened
        proc = ("/proc",) if jail.foreign and jail.level == "ns" else ()  # only the jail's own
        writable = (scratch, *_DEVICES) if jail.fills_scratch else _DEVICES
        landlock.confine((*jail.readable, *proc, scratch, "/dev/urandom"), writable)
        enforced.append(f"Landlock {landlock.abi()}")
    if jail.uid is not None:
        os.setgroups([])
        os.setresgid(jail.uid, jail.uid, jail.uid)
        os.setresuid(jail.uid, jail.uid, jail.uid)
        enforced.append(f"uid {jail.uid}")
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    if jail.level == "ns":  # a change of uid has cleared it
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    bpf.install(seccomp.outer_filter())
    enforced.append("seccomp")
    return enforced


def owns_its_uid(jail: Jail) -> bool:
    """Whether every process that a signal to "all" can reach belongs to this slot."""
    return jail.level == "ns" or (jail.level == "uid" and jail.uid is not None)


class Fence:
    """The confinement of candidates of one kind, thought out before they are forked.

    Args:
        jail: what the zygote is locked into.
        limits: what every such candidate may do; CPU time and memory come later.
    """

    def __init__(self, jail: Jail, limits: Confinement) -> None:
        self._address_space, self._data = None, 0
        if limits.address_space:
            self._address_space, self._data = _address_space_now(), _data_now()
        may_store = jail.stores or limits.may_build
        file_bytes = _MAX_BUILD_BYTES if limits.may_build else _MAX_FILE_BYTES
        fixed = [
            (resource.RLIMIT_FSIZE, file_bytes if may_store else 0),
            (resource.RLIMIT_NOFILE, _MAX_DESCRIPTORS if not limits.may_exec else 1024),
        ]
        # A zygote that itself stores nothing has given the right to up for all its children.
        self._gives_up_storing = jail.foreign and not may_store and landlock.fences_storing()
        self._filter = None
        if jail.level != "none":
            fixed.append((resource.RLIMIT_NPROC, _MAX_THREADS + _tasks_not_ours(jail)))
            self._filter = bpf.Layout(
                seccomp.inner_filter(
                    may_exec=limits.may_exec,
                    may_build=limits.may_build,
                    may_store=may_store or landlock.fences_storing(),
                    may_thread=limits.may_exec or jail.level != "seccomp",
                    may_measure=not jail.hides_files,
                    paths=jail.level != "seccomp" or bool(landlock.abi()),
                )
            )
        self._fixed = [(which, _within(which, value)) for which, value in fixed]

    def close(self) -> None:
        """Give up everything but CPU time and memory."""
        for which, pair in self._fixed:
            resource.setrlimit(which, pair)
        if self._gives_up_storing:
            landlock.give_up_storing(_DEVICES)
        if self._filter:
            self._filter.install()

    def limit(self, cpu_s: float, memory_mib: int) -> None:
        """Limit CPU time and memory: the last trusted act before hostile code runs."""
        # Whole seconds: the clock of whoever watches is the fine one.
        _limit(resource.RLIMIT_CPU, int(cpu_s) + 2)
        memory = memory_mib << 20
        if self._address_space is not None:
            _limit(resource.RLIMIT_AS, memory + self._address_space)
        _limit(resource.RLIMIT_DATA, memory + self._data)

    def enclose(self, cpu_s: float, memory_mib: int) -> None:
        """Close and limit at once."""
        self.close()
        self.limit(cpu_s, memory_mib)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies, also if it has died already."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, _within(which, value))


def _within(which: int, value: int) -> tuple[int, int]:
    """The limit as a pair, no higher than what this process may still set."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    return value, value


_usage: tuple[int, int] | None = None
_tasks = 0


def note_surroundings() -> None:
    """Remember what the interpreter occupies and its user runs; /proc is out of sight later."""
    global _usage, _tasks
    _tasks = _count_tasks(os.getuid())
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = [int(number) for number in file.read().split()]
    except OSError:  # no /proc at all: allow for a generous interpreter
        _usage = (256 << 20, 64 << 20)
        return
    size = resource.getpagesize()
    _usage = (pages[0] * size, pages[5] * size)


def _address_space_now() -> int:
    return _usage[0] if _usage else 256 << 20


def _data_now() -> int:
    return _usage[1] if _usage else 64 << 20


def _tasks_not_ours(jail: Jail) -> int:
    """How many threads of others the kernel counts along with those of this slot."""
    if jail.uid is not None or (jail.level == "ns" and _counts_by_namespace()):
        return 0
    return _tasks + _MAX_TASKS_TO_COME


def _counts_by_namespace() -> bool:
    """Whether this kernel counts the processes of a user namespace by themselves (5.14)."""
    major, minor = (int(number) for number in os.uname().release.split(".")[:2])
    return (major, minor) >= (5, 14)


def _count_tasks(uid: int) -> int:
    """Threads of all processes of a user that can be seen."""
    count = 0
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):  # it has ended
                if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                    count += os.stat(f"/proc/{name}/task").st_nlink - 2
    return count
