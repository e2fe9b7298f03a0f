"""Seccomp filters: which system calls the jailed processes may make at all.

Two layers. The **outer** filter is installed once per zygote and inherited: no network, no
tracing, no mounts or namespaces, no credentials or modes of files, no kernel objects that outlive
a process. The **inner** one is installed in every candidate: no new processes, no signals to
others, no way out of its session.

Everything beyond the newest system call known here answers ENOSYS; so does ``clone3``, whose
flags a filter cannot see (the C library then falls back to ``clone``). How a list of refusals
becomes a filter is told in ``bpf``.
"""

import os

from . import kernel
from .bpf import PID_TO_COME, Condition, assemble

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
    "modify_ldt",
    "uselib",
    "sync",
    "syncfs",
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
# What a path tells or takes without the file being opened, which Landlock does not see.
_UNOPENED = [
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    "truncate",
]
_MODES = ["chmod", "fchmod", "fchmodat", "utime", "utimes", "utimensat", "futimesat"]
_STORING = [
    "creat",
    "mkdir",
    "mkdirat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "openat2",  # its flags are out of a filter's sight
]
# What tells about a file that may not be opened; also what asks about an open one by an empty path.
_MEASURING = [
    "access",
    "faccessat",
    "faccessat2",
    "lstat",
    "newfstatat",
    "openat2",
    "stat",
    "statfs",
    "statx",
]
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
    "unlink",
    "unlinkat",
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
_F_SETLEASE, _F_NOTIFY, _F_SETPIPE_SZ = 1024, 1026, 1031
_AF_UNIX = 1
_DATAGRAM_BIT = 2  # in SOCK_DGRAM, SOCK_RAW and all that is not a stream: sendto names a receiver
_UNNAMED = 0x400000  # O_TMPFILE without O_DIRECTORY
_STORING_BITS = os.O_CREAT | os.O_TRUNC | _UNNAMED
_BY_PATH_ONLY = os.O_PATH  # opens what may not be read, for what fstat tells of it
_KEEP_SIZE = 1  # space beyond the end of a file, which its size limit does not bound
# What terminals, pipes and sockets are asked by the runtimes of languages.
_TCGETS, _TIOCGWINSZ, _FIONREAD, _FIONBIO = 0x5401, 0x5413, 0x541B, 0x5421
_FIONCLEX, _FIOCLEX = 0x5450, 0x5451


def outer_filter() -> bytes:
    """What a zygote and all its descendants never need."""
    denied = [*_NETWORK, *_OTHER_PROCESSES, *_KERNEL, *_LASTING_OBJECTS, *_CREDENTIALS, *_OWNERS]
    denied += _UNOPENED
    conditions = [
        Condition("clone", 0, any_bit=_NEW_NAMESPACES & ~0x80),  # low byte: the exit signal
        Condition("prlimit64", 0, unless_equal=(0,)),
        Condition("sched_setaffinity", 0, unless_equal=(0,)),
        Condition("socketpair", 0, unless_equal=(_AF_UNIX,)),
        Condition("socketpair", 1, any_bit=_DATAGRAM_BIT),
        # signals by way of a descriptor's owner; leases on files of others; memory in pipes
        Condition(
            "fcntl",
            1,
            equal=(_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE, _F_NOTIFY, _F_SETPIPE_SZ),
        ),
        Condition(
            "ioctl",
            1,
            unless_equal=(_TCGETS, _TIOCGWINSZ, _FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX),
        ),
        Condition("fallocate", 1, any_bit=_KEEP_SIZE),
    ]
    return assemble(denied, conditions)


def inner_filter(
    *,
    may_exec: bool,
    may_build: bool,
    may_thread: bool,
    may_store: bool,
    may_measure: bool,
    paths: bool,
) -> bytes:
    """What a candidate process must not do; it may signal its own threads.

    Args:
        may_exec: allow execve (programs of other languages start by it).
        may_build: allow child processes and setting modes and times of files (compilers).
        may_thread: allow threads; False where nothing limits how many.
        may_store: allow files to be made, cut and removed; False where nothing else forbids it.
        may_measure: allow to ask about files by path; False where paths of others can be named.
        paths: allow system calls that take a path; False where nothing else fences files.
    """
    denied = list(_SIGNALS)
    conditions = [
        Condition("tgkill", 0, unless_equal=(PID_TO_COME,)),
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
    if not may_exec:  # and Python needs no links read, which Landlock leaves open
        denied += ["execve", "execveat", "readlink", "readlinkat"]
    if not may_build:
        denied += [*_PROCESSES, *_MODES]
        conditions.append(Condition("clone", 0, unless_bit=kernel.CLONE_THREAD))
    if not may_thread:
        denied.append("clone")
    if not may_store:
        denied += _STORING
        conditions += [
            Condition("open", 1, any_bit=_STORING_BITS),
            Condition("openat", 2, any_bit=_STORING_BITS),
        ]
    if not may_measure:
        denied += _MEASURING
        conditions += [
            Condition("open", 1, any_bit=_BY_PATH_ONLY),
            Condition("openat", 2, any_bit=_BY_PATH_ONLY),
        ]
    if not paths:
        denied += _PATHS
    return assemble(denied, conditions)
