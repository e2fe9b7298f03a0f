"""Seccomp filters: which system calls the jailed processes may make at all.

Two layers. The **outer** filter is installed once per zygote and inherited: no network, no
tracing, no mounts or namespaces, no credentials or modes of files, no kernel objects that outlive
a process. The **inner** one is installed in every candidate: no new processes, no signals to
others, no way out of its session.

Everything beyond the newest system call known here answers ENOSYS; so does ``clone3``, whose
flags a filter cannot see (the C library then falls back to ``clone``).
"""

import ctypes
import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from . import kernel

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NEWEST_KNOWN = 450
_X32_BIT = 0x40000000
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_LD_ABS, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCH, _AT_ARGUMENTS = 0, 4, 16

# name: (x86_64, aarch64); None where the architecture lacks it
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fanotify_init": (300, 262),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fcntl": (72, 25),
    "finit_module": (313, 273),
    "fork": (57, None),
    "fremovexattr": (199, 16),
    "fsconfig": (431, 431),
    "fsetxattr": (190, 7),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "futimesat": (261, None),
    "init_module": (175, 105),
    "inotify_add_watch": (254, 27),
    "io_setup": (206, 0),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, None),
    "link": (86, None),
    "linkat": (265, 37),
    "listen": (50, 201),
    "lookup_dcookie": (212, 18),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "mbind": (237, 235),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "recvmmsg": (299, 243),
    "removexattr": (197, 14),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semctl": (66, 191),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setdomainname": (171, 162),
    "setfsgid": (123, 152),
    "setfsuid": (122, 151),
    "setgid": (106, 144),
    "setgroups": (116, 159),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "setregid": (114, 143),
    "setresgid": (119, 149),
    "setresuid": (117, 147),
    "setreuid": (113, 145),
    "setsid": (112, 157),
    "settimeofday": (164, 170),
    "setuid": (105, 146),
    "setxattr": (188, 5),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vfork": (58, None),
    "vhangup": (153, 58),
    # paths, for kernels without Landlock
    "access": (21, None),
    "creat": (85, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "lstat": (6, None),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "newfstatat": (262, 79),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "rmdir": (84, None),
    "stat": (4, None),
    "statfs": (137, 43),
    "statx": (332, 291),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "truncate": (76, 45),
    "unlink": (87, None),
    "unlinkat": (263, 35),
}

_NETWORK = ("socket", "connect", "bind", "listen", "accept", "accept4", "recvmmsg")
_OTHER_PROCESSES = [
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "pidfd_getfd",
    "process_madvise",
    "process_mrelease",
    "setpriority",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "ioprio_set",
    "move_pages",
    "migrate_pages",
    "perf_event_open",
]
_KERNEL = [
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "io_setup",
    "memfd_create",
    "memfd_secret",
    "swapon",
    "swapoff",
    "reboot",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "acct",
    "quotactl",
    "quotactl_fd",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "personality",
    "iopl",
    "ioperm",
    "open_by_handle_at",
    "name_to_handle_at",
    "fanotify_init",
    "syslog",
    "lookup_dcookie",
    "vhangup",
    "mbind",
]
_LASTING_OBJECTS = [
    "shmget",
    "shmat",
    "shmctl",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "mq_open",
    "mq_unlink",
    "mknod",
    "mknodat",
]
_CREDENTIALS = [
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
]
_OWNERS = [
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "link",
    "linkat",
]
_MODES = ["chmod", "fchmod", "fchmodat", "utime", "utimes", "utimensat", "futimesat"]
_PROCESSES = ("fork", "vfork")
_SIGNALS = [
    "kill",
    "tkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "pidfd_send_signal",
    "pidfd_open",
    "setsid",
    "setpgid",
]
_PATHS = [
    "access",
    "creat",
    "faccessat",
    "faccessat2",
    "getdents",
    "getdents64",
    "lstat",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "truncate",
    "unlink",
    "unlinkat",
    "inotify_add_watch",
]

_NEW_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWCGROUP
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWTIME
)
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_TIOCSTI, _FIOSETOWN, _SIOCSPGRP = 0x5412, 0x8901, 0x8902


@dataclass(frozen=True)
class Condition:
    """A system call refused only for some values of one argument (its low 32 bits).

    ``equal``: refused for these values; ``any_bit``: refused when one of these bits is set;
    ``unless_equal`` / ``unless_bit``: refused except for this value / with this bit.
    """

    call: str
    argument: int
    equal: tuple[int, ...] = ()
    any_bit: int = 0
    unless_equal: int | None = None
    unless_bit: int = 0


def outer_filter() -> bytes:
    """What a zygote and all its descendants never need."""
    denied = [*_NETWORK, *_OTHER_PROCESSES, *_KERNEL, *_LASTING_OBJECTS, *_CREDENTIALS, *_OWNERS]
    conditions = [
        Condition("clone", 0, any_bit=_NEW_NAMESPACES & ~0x80),  # low byte: the exit signal
        Condition("prlimit64", 0, unless_equal=0),
        Condition("sched_setaffinity", 0, unless_equal=0),
        # signals by way of a descriptor's owner
        Condition("fcntl", 1, equal=(_F_SETOWN, _F_SETSIG, _F_SETOWN_EX)),
        Condition("ioctl", 1, equal=(_TIOCSTI, _FIOSETOWN, _SIOCSPGRP)),
    ]
    return _assemble(denied, conditions)


def inner_filter(
    pid: int, *, may_exec: bool, may_fork: bool, may_chmod: bool, paths: bool
) -> bytes:
    """What the candidate process ``pid`` must not do.

    Args:
        pid: the process that will install the filter; it may signal its own threads.
        may_exec: allow execve (programs of other languages start by it).
        may_fork: allow child processes (compilers).
        may_chmod: allow file modes and times to be set (linkers).
        paths: allow system calls that take a path; False where nothing else fences files.
    """
    denied = list(_SIGNALS)
    conditions = [
        Condition("tgkill", 0, unless_equal=pid),
        Condition(
            "prctl",
            0,
            equal=(
                kernel.PR_SET_PDEATHSIG,
                kernel.PR_SET_DUMPABLE,
                kernel.PR_SET_CHILD_SUBREAPER,
                kernel.PR_SET_MM,
                kernel.PR_SET_PTRACER,
            ),
        ),
    ]
    if not may_exec:
        denied += ["execve", "execveat"]
    if not may_fork:
        denied += _PROCESSES
        conditions.append(Condition("clone", 0, unless_bit=kernel.CLONE_THREAD))
    if not may_chmod:
        denied += _MODES
    if not paths:
        denied += _PATHS
    return _assemble(denied, conditions)


def install(program: bytes) -> None:
    """Put the filter on this process and its future children, for good.

    Raises:
        OSError: the kernel has no seccomp filters or refused.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    code = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    kernel.syscall("seccomp", 1, 0, ctypes.c_char_p(pointer))


def _assemble(denied: Iterable[str], conditions: Iterable[Condition]) -> bytes:
    if kernel.MACHINE not in _ARCHITECTURES:
        raise OSError(f"no seccomp filter is known for {kernel.MACHINE}")
    refuse = _op(_RET, value=_ERRNO | errno.EPERM)
    lacking = _op(_RET, value=_ERRNO | errno.ENOSYS)
    program = [
        _op(_LD_ABS, value=_AT_ARCH),
        _op(_JEQ, 1, 0, _ARCHITECTURES[kernel.MACHINE]),
        _op(_RET, value=_KILL),
        _op(_LD_ABS, value=_AT_NUMBER),
        _op(_JGE, 0, 1, _X32_BIT),
        _op(_RET, value=_KILL),
        _op(_JGE, 0, 1, _NEWEST_KNOWN + 1),
        lacking,
        _op(_JEQ, 0, 1, _number("clone3") or 0),
        lacking,
    ]
    for name in denied:
        number = _number(name)
        if number is not None:
            program += [_op(_JEQ, 0, 1, number), refuse]
    for condition in conditions:
        number = _number(condition.call)
        if number is not None:
            body = _condition_body(condition, refuse)
            program += [_op(_JEQ, 0, len(body), number), *body]
    program.append(_op(_RET, value=_ALLOW))
    return b"".join(program)


def _condition_body(condition: Condition, refuse: bytes) -> list[bytes]:
    body = [_op(_LD_ABS, value=_AT_ARGUMENTS + 8 * condition.argument)]
    for value in condition.equal:
        body += [_op(_JEQ, 0, 1, value), refuse]
    if condition.any_bit:
        body += [_op(_JSET, 0, 1, condition.any_bit), refuse]
    if condition.unless_equal is not None:
        body += [_op(_JEQ, 1, 0, condition.unless_equal), refuse]
    if condition.unless_bit:
        body += [_op(_JSET, 1, 0, condition.unless_bit), refuse]
    # Reload the number: the accumulator holds the argument now.
    return [*body, _op(_LD_ABS, value=_AT_NUMBER)]


def _number(name: str) -> int | None:
    return NUMBERS[name][kernel.MACHINE == "aarch64"]


def _op(code: int, if_true: int = 0, if_false: int = 0, value: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
