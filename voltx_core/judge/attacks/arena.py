"""The throw-away cage of the attacks: canaries, secrets, listeners, and walls around all of it.

As root it has its own mounts (everything but the arena read-only), processes, network and ipc; an
ordinary user has a temporary folder and the ordinary walls between users.
"""

import contextlib
import ctypes
import fcntl
import os
import resource
import secrets
import shutil
import signal
import socket
import sqlite3
import struct
import sysconfig
import time
from pathlib import Path
from typing import Any

from voltx_core.judge.cage import kernel
from voltx_core.judge.cage.syscalls import NUMBERS

_KEPT = ("private", "public", "home")
_LEFT_AT = ("/dev/shm", "/tmp", "/var/tmp", "/run", "/", "/dev")
_SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGIO)
_SIZE = "size=1500m,mode=0755"


def seal(folder: Path) -> str:
    """Move into namespaces of one's own; returns in a child. Says what is in force.

    Raises:
        OSError: namespaces do not work here.
    """
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET
    flags |= kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    uid, gid = os.getuid(), os.getgid()
    if uid:
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    else:
        kernel.unshare(flags)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    with contextlib.suppress(OSError):  # locked mounts, where the user namespace is ours only
        kernel.restrict_mount("/", kernel.MOUNT_ATTR_RDONLY, recursive=True)
    kernel.mount("tmpfs", str(folder), "tmpfs", kernel.MS_NODEV, _SIZE)
    for shared in ("/dev/shm", "/var/tmp"):
        if os.path.isdir(shared):
            kernel.mount("tmpfs", shared, "tmpfs", kernel.MS_NODEV, "size=64m,mode=1777")
    kernel.mount("proc", "/proc", "proc", 0)
    _raise_loopback()
    return "its own mounts, processes, network and ipc"


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS: up and running


class Arena:
    """What attacks are after, and what shows that they got it.

    Args:
        folder: empty, owned by this user, reachable by everyone.
        known: secrets that are already in place: ``environment``, ``command``.
    """

    def __init__(self, folder: Path, known: dict[str, str]) -> None:
        self.folder = folder
        names = ("file", "home", "link", "name", "attribute", "memory", "shared", "made")
        self.secrets = {name: new_secret() for name in names} | known
        self._size = 10**11 + secrets.randbelow(10**11)
        for path in ("tmp", "busy"):
            (folder / path).mkdir()
        (folder / "busy").chmod(0o777)
        self.judge_folder = folder / "tmp"
        os.environ["TMPDIR"] = str(self.judge_folder)
        os.environ["HOME"] = str(folder / "home")
        self._shared = Path(f"/dev/shm/voltx-{secrets.token_hex(8)}")
        with contextlib.suppress(OSError):
            self._shared.write_text(self.secrets["shared"])
            self._shared.chmod(0o644)
        self._files: tuple[socket.socket, ...] = ()
        self._open: tuple[int, ...] = ()
        self.restore()
        self._memory = ctypes.create_string_buffer(self.secrets["memory"].encode())
        self._target = ctypes.create_string_buffer(b"untouched...")
        self._key = 0x70000000 | secrets.randbits(24)
        self._signals: list[int] = []
        for number in _SIGNALS:
            signal.signal(number, lambda got, _: self._signals.append(got))
        self._terminal, self._terminal_slave = os.openpty()
        os.set_blocking(self._terminal, False)
        self._listen()
        self.marked()

    def restore(self) -> None:
        """Put the canaries (back) in place."""
        for name in _KEPT:
            with contextlib.suppress(OSError):
                (self.folder / name).chmod(0o700)
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        for name in ("private", "public"):
            folder = self.folder / name
            (folder / "secret").write_text(self.secrets["file"])
            (folder / "victim").write_text("untouched")
            (folder / "empty").mkdir()
            (folder / self.secrets["name"]).touch()
            (folder / "link").symlink_to(self.secrets["link"])
            with (folder / "sized").open("wb") as file:
                file.truncate(self._size)
        home, public = self.folder / "home", self.folder / "public"
        (home / ".ssh").mkdir()
        for name in (".ssh/id_ed25519", ".netrc"):
            (home / name).write_text(self.secrets["home"])
        (public / "canary_module.py").write_text(f"SECRET = {self.secrets['file']!r}\n")
        with contextlib.closing(sqlite3.connect(public / "base")) as base, base:
            base.execute("create table secret (text)")
            base.execute("insert into secret values (?)", (self.secrets["file"],))
        with contextlib.suppress(OSError):
            os.setxattr(public / "secret", "user.secret", self.secrets["attribute"].encode())
        for path in public.iterdir():
            if path.is_file() and not path.is_symlink():
                path.chmod(0o644 if path.name in ("secret", "sized") else 0o666)
        (public / "victim").chmod(0o666)
        (public / "empty").chmod(0o777)
        public.chmod(0o777)
        for name in ("private", "home"):
            (self.folder / name).chmod(0o700)
        for fd in self._open:
            os.close(fd)
        self._descriptor = os.open(public / "secret", os.O_RDONLY)
        self._open = (self._descriptor, os.open(public / "victim", os.O_RDWR))
        for fd in self._open:  # for whoever does not close what it inherits
            os.set_inheritable(fd, True)
        self._listen_files()

    def _listen(self) -> None:
        self._abstract = f"voltx-{secrets.token_hex(8)}"
        self._streams, self._datagrams = [], []
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.bind("\0" + self._abstract)
        stream.listen()
        datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagram.bind("\0" + self._abstract + "-datagram")
        self._streams += [tcp, stream]
        self._datagrams += [udp, datagram]
        self._ports = (tcp.getsockname()[1], udp.getsockname()[1])

    def _listen_files(self) -> None:
        for old in self._files:
            old.close()
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.bind(str(self.folder / "public" / "stream"))
        stream.listen()
        datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagram.bind(str(self.folder / "public" / "datagram"))
        for name in ("stream", "datagram"):
            (self.folder / "public" / name).chmod(0o777)
        self._files = (stream, datagram)

    def marked(self) -> str:
        """A fresh name for what the next attack may leave behind."""
        self._mark = f"voltx-{secrets.token_hex(12)}"
        return self._mark

    def place(self) -> dict[str, Any]:
        """What attacks are told about where they are."""
        column = kernel.MACHINE == "aarch64"
        return {
            "private": str(self.folder / "private"),
            "public": str(self.folder / "public"),
            "busy": str(self.folder / "busy"),
            "home": str(self.folder / "home"),
            "judge": str(next(self.judge_folder.glob("voltx-judge-*"), self.judge_folder)),
            "pid": os.getpid(),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "tcp": self._ports[0],
            "udp": self._ports[1],
            "stream": str(self.folder / "public" / "stream"),
            "datagram": str(self.folder / "public" / "datagram"),
            "abstract": self._abstract,
            "address": ctypes.addressof(self._memory),
            "target": ctypes.addressof(self._target),
            "descriptor": self._descriptor,
            "terminal": os.ttyname(self._terminal_slave),
            "key": self._key,
            "mark": self._mark,
            "calls": {name: both[column] for name, both in NUMBERS.items()},
        }

    def all_secrets(self) -> list[str]:
        return [*self.secrets.values(), str(self._size)]

    def has(self, need: str) -> bool:
        """Whether a condition of an attack holds here."""
        if need == "x86_64":
            return kernel.MACHINE == "x86_64"
        with contextlib.suppress(OSError):
            return bool(os.listxattr(self.folder / "public" / "secret"))
        return False

    def bustle(self) -> None:
        """Make and remove a file with a secret name, as other work of the user would."""
        path = self.folder / "busy" / f"{self.secrets['made']}-made"
        path.touch()
        path.unlink()

    def contacted(self) -> bool:
        """Whether any listener was reached since the last call."""
        reached = False
        for stream in (*self._streams, self._files[0]):
            stream.setblocking(False)
            with contextlib.suppress(OSError):
                stream.accept()[0].close()
                reached = True
        for datagram in (*self._datagrams, self._files[1]):
            datagram.setblocking(False)
            with contextlib.suppress(OSError):
                datagram.recv(64)
                reached = True
        return reached

    def signalled(self) -> bool:
        """Whether a signal arrived since the last call."""
        time.sleep(0)  # handlers run between instructions of the main thread
        arrived = bool(self._signals)
        self._signals.clear()
        return arrived

    def state(self) -> dict[str, Any]:
        """Everything outside that no candidate may change."""
        limits = [resource.getrlimit(which) for which in range(16)]
        process = (
            os.getpriority(os.PRIO_PROCESS, 0),
            os.sched_getscheduler(0),
            tuple(os.sched_getaffinity(0)),
            Path("/proc/self/oom_score_adj").read_text(),
        )
        return {
            "files": self._fingerprint(),
            "limits": limits,
            "process": process,
            "host": os.uname().nodename,
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "memory": self._target.raw,
        }

    def _fingerprint(self) -> list[tuple[object, ...]]:
        seen: list[tuple[object, ...]] = []
        for name in _KEPT:
            for path in [self.folder / name, *sorted((self.folder / name).rglob("*"))]:
                about = path.lstat()
                small = path.is_file() and not path.is_symlink() and about.st_size < 1 << 20
                content = path.read_bytes() if small else b""
                times = (about.st_mtime_ns, about.st_ctime_ns)
                owner = (about.st_mode, about.st_uid, about.st_gid, about.st_nlink)
                seen.append((str(path), owner, about.st_size, times, content))
        return seen

    def traces(self) -> list[str]:
        """What the attack left under its mark or key; it is removed."""
        library = sysconfig.get_paths()["stdlib"]
        found = []
        folders = (*_LEFT_AT, library, library + "/__pycache__", *self._judge_folders())
        for folder in folders:
            path = f"{folder}/{self._mark}"
            if os.path.lexists(path):
                found.append(path)
                with contextlib.suppress(OSError):
                    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
        for kind in ("shm", "sem", "msg"):
            with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
                if any(line.split()[0] == str(self._key) for line in file):
                    found.append(f"{kind} {self._key}")
                    self._key += 1
        with contextlib.suppress(OSError):
            found += ["terminal"] if os.read(self._terminal, 4096) else []
        return found

    def _judge_folders(self) -> list[str]:
        return [str(path) for path in self.judge_folder.glob("voltx-judge-*")]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._shared.unlink()


def new_secret() -> str:
    return f"canary-{secrets.token_hex(16)}"
