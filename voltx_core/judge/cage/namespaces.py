"""A private world for one zygote: own root, processes, network (none), ipc and host name."""

import ctypes
import os
import signal
import stat

from . import kernel

SCRATCH = "/scratch"
_SCRATCH_BYTES = 64 << 20
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_ROOT_LINKS = ("/bin", "/sbin", "/lib", "/lib64", "/lib32")


def enter(base: str, readable: tuple[str, ...], *, uid: int | None, proc: bool) -> None:
    """Move into fresh namespaces; returns in a child that is process 1 there.

    The original process stays outside as the child's keeper: it waits, and its death kills the
    child and with it everything inside.

    Args:
        base: an existing folder over which the private root is mounted (seen only from inside).
        readable: folders and files shown inside, read-only, under their own paths.
        uid: the uid that will own the scratch; None without privileges (a user namespace that
            maps only the caller is used then).
        proc: also mount /proc.

    Raises:
        OSError: namespaces or mounts do not work here.
    """
    flags = (
        kernel.CLONE_NEWNS
        | kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
    )
    own_uid, own_gid = os.geteuid(), os.getegid()
    if own_uid != 0:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{own_uid} {own_uid} 1")
        _write("/proc/self/gid_map", f"{own_gid} {own_gid} 1")
    else:
        kernel.unshare(flags)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    owner = own_uid if uid is None else uid
    _build_root(base, readable, owner)
    child = kernel.fork()  # the first process of the new pid namespace
    if child:
        _keep(child)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if proc:
        os.mkdir(base + "/proc")
        try:
            kernel.mount("proc", base + "/proc", "proc", 2 | 4 | 8)
        except OSError:  # masked /proc: runtimes do without
            os.rmdir(base + "/proc")
    os.chdir(base)
    kernel.syscall("pivot_root", _path("."), _path("."))
    kernel.detach(".")
    os.chdir("/")
    kernel.restrict_mount("/", kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID)


def _build_root(base: str, readable: tuple[str, ...], owner: int) -> None:
    kernel.mount("tmpfs", base, "tmpfs", kernel.MS_NOSUID, "size=1m,mode=0755")
    for link in _ROOT_LINKS:
        if os.path.islink(link):
            os.symlink(os.readlink(link), base + link)
    read_only = kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID
    shown: list[str] = []
    for path in sorted(os.path.realpath(path) for path in readable if os.path.exists(path)):
        if any(path == other or path.startswith(other + "/") for other in shown):
            continue
        shown.append(path)
        _bind(path, base + path)
        kernel.restrict_mount(base + path, read_only | kernel.MOUNT_ATTR_NODEV, recursive=True)
    for device in _DEVICES:
        _bind(device, base + device)
    os.mkdir(base + SCRATCH)
    options = f"size={_SCRATCH_BYTES},nr_inodes=4096,mode=0700,uid={owner},gid={owner}"
    if os.geteuid() != 0:
        options = f"size={_SCRATCH_BYTES},nr_inodes=4096,mode=0700"
    kernel.mount("tmpfs", base + SCRATCH, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _bind(source: str, target: str) -> None:
    if stat.S_ISDIR(os.stat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="ascii"):
            pass
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)


def _keep(child: int) -> None:
    """Stay as the child's keeper, holding none of its descriptors, and end as it ends."""
    os.closerange(3, 1024)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _path(text: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(text.encode())
