"""One slot of the judge: a zygote in its jail, seen from outside."""

import contextlib
import dataclasses
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from voltx_core.errors import JudgeError
from voltx_core.judge.cage.frames import HEADER
from voltx_core.judge.cage.jail import Jail
from voltx_core.judge.cage.scratch import empty
from voltx_core.judge.cage.wire import CALLS, DIED, FINISHED, ORDER, READY, TAKEN, TRAILER
from voltx_core.judge.leases import UidLease

_START_TIMEOUT_S = 60.0
_PIPE_BYTES = 1 << 16
_HERE = Path(__file__).parent
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[2]); from cage.zygote import main; main(sys.argv[1])"
)
# PYTHONHASHSEED must count, so -I (which ignores it) is spelled out without -E.
FLAGS = ("-s", "-S", "-P", "-B", "-X", "utf8")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "HOME": "/"}
_AT_ONCE = {"LD_BIND_NOW": "1"}  # functions linked later would be linked anew in every candidate
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_NOT_COPIED = ("site-packages", "test", "tests", "idlelib", "ensurepip", "tkinter", "lib2to3")


@dataclass(frozen=True)
class Reply:
    """What a slot says about one order.

    Attributes:
        ending: FINISHED, DIED, OVERDUE or FAULT (the machine could not start the candidate), as
            the zygote saw the supervisor end.
        exit_code: of the supervisor; negative for a signal.
        report: the supervisor's frame; empty unless it finished.
        taken: the supervisor had read its whole order.
        cpu_s: what the candidate of an order of calls has used.
    """

    ending: bytes
    exit_code: int
    report: bytes
    taken: bool
    cpu_s: float


class SlotLost(Exception):
    """The zygote is gone or does not answer: replace the slot and try the order again."""


class Slot:
    """Starts a zygote, hands it one order at a time, and ends it.

    Args:
        level: isolation to enter; it is entered or the start fails.
        home: the judge's temporary folder.
        name: distinguishes the slot's scratch folder.
        readable: what else the programs may read and execute (a compiler's folders).
        warm: preload modules for Python programs; otherwise the slot runs other languages.

    Raises:
        JudgeError: the zygote cannot lock itself in here.
    """

    def __init__(
        self, *, level: str, home: Path, name: str, readable: tuple[str, ...] = (), warm: bool
    ) -> None:
        self._lease: UidLease | None = None
        self._scratch = home / name
        self._scratch.mkdir(mode=0o700)
        uid = None
        if level in ("ns", "uid") and os.geteuid() == 0:
            self._lease = UidLease()
            uid = self._lease.uid
            if level == "uid":
                os.chown(self._scratch, uid, uid)
        library = sysconfig.get_paths()["stdlib"]
        copied = None
        if level == "uid" and not _open_to_all(Path(library)):
            library = copied = str(_copy_library(Path(library), home))
        jail = Jail(
            level=level,
            scratch=str(self._scratch),
            readable=(library, *_LIBRARIES, "/etc/ld.so.cache", *readable),
            uid=uid,
            foreign=not warm,
        )
        self._start(jail, warm, copied)
        self.enforced: tuple[str, ...] = ()
        self._out = memoryview(b"")
        self._report = bytearray()
        self._trailer = bytearray()
        self.busy = False
        self.brief = True
        self.deadline = float("inf")

    def _start(self, jail: Jail, warm: bool, library: str | None) -> None:
        self.request, theirs = socket.socketpair()
        self.report, report_write = os.pipe()
        os.set_blocking(self.report, False)
        specification = {
            "jail": dataclasses.asdict(jail),
            "request": theirs.fileno(),
            "report": report_write,
            "warm": warm,
            "library": library,
            "hide": str(_HERE),
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed once the zygote is up)
        self._process = subprocess.Popen(
            [sys.executable, *FLAGS, "-c", _BOOT, json.dumps(specification), str(_HERE)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=ENVIRONMENT | _AT_ONCE,
            cwd="/",
            pass_fds=(theirs.fileno(), report_write),
            start_new_session=True,
        )
        theirs.close()
        os.close(report_write)

    def await_ready(self) -> None:
        """Wait for the zygote's word that it is locked in.

        Raises:
            JudgeError: it is not, and why.
        """
        self.request.settimeout(_START_TIMEOUT_S)
        try:
            (size,) = HEADER.unpack(self._receive(HEADER.size))
            word = json.loads(self._receive(size))
        except (OSError, EOFError):
            self._errors.seek(0)
            text = self._errors.read().decode(errors="replace").strip()
            word = {"error": text.splitlines()[-1] if text else "the process ended at once"}
        if "error" in word:
            self.close()
            raise JudgeError(word["error"])
        self._errors.close()
        self.enforced = tuple(word["enforced"])
        self.request.setblocking(False)

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def submit(self, kind: bytes, order: bytes, wall_s: float, patience_s: float) -> None:
        """Begin one order; ``step`` tells when it is over.

        Args:
            kind: CALLS, SCRIPT or STEPS.
            order: encoded; the supervisor reads it.
            wall_s: after so many seconds the zygote ends it.
            patience_s: after so many seconds more the zygote itself counts as lost.
        """
        self._out = memoryview(ORDER.pack(kind, len(order), wall_s) + order)
        self._report.clear()
        self._trailer.clear()
        self.busy = True
        self.brief = kind == CALLS
        self.deadline = time.monotonic() + wall_s + patience_s
        self._flush()

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out)

    def _flush(self) -> None:
        try:
            while self._out:
                self._out = self._out[self.request.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            raise SlotLost(f"the zygote is gone: {error}") from None

    def step(self) -> Reply | None:
        """Move whatever can be moved now; the reply once the order is over.

        Raises:
            SlotLost: the zygote is gone.
        """
        self._flush()
        if not self.brief:
            self._drain_report()
        try:
            data = self.request.recv(TRAILER.size - len(self._trailer))
        except BlockingIOError:
            return None
        except OSError as error:
            raise SlotLost(f"the zygote is gone: {error}") from None
        if not data:
            raise SlotLost("the zygote is gone")
        self._trailer += data
        if len(self._trailer) < TRAILER.size:
            return None
        ending, state, exit_code, cpu_s = TRAILER.unpack(self._trailer)
        self._drain_report()  # all of it was written before the trailer
        self.busy = False
        self.spent = state != READY
        return self._as_reply(ending, exit_code, cpu_s)

    spent = False
    """The zygote has ended itself because its scratch could not be emptied."""
    brief: bool
    """The report on the current order fits into its pipe: nobody needs to empty it before the
    order is over."""

    def _as_reply(self, ending: bytes, exit_code: int, cpu_s: float) -> Reply:
        taken = self._report[:1] == TAKEN
        frame = bytes(self._report[1 + HEADER.size :])
        if ending == FINISHED:
            whole = taken and len(self._report) > HEADER.size
            if not whole or HEADER.unpack_from(self._report, 1)[0] != len(frame):
                ending, frame = DIED, b""
        return Reply(ending, exit_code, frame if ending == FINISHED else b"", taken, cpu_s)

    def _drain_report(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.report, _PIPE_BYTES):
                self._report += data
                if len(data) < _PIPE_BYTES:
                    return

    def close(self) -> None:
        """End the zygote and everything below it, and remove its scratch."""
        self.request.close()
        self._errors.close()
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None and not self._exits_soon():
                self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self.report)
        with contextlib.suppress(OSError):
            empty(str(self._scratch))
            self._scratch.rmdir()
        if self._lease:
            self._lease.close()

    def _exits_soon(self) -> bool:
        """A zygote whose socket is closed ends its run and then itself."""
        poll = select.poll()
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(self._process.pid)
            poll.register(pidfd, select.POLLIN)
            ended = bool(poll.poll(2000))
            os.close(pidfd)
            return ended
        return False

    def kill(self) -> None:
        """What ``close`` does, without waiting for a zygote that does not answer."""
        self._process.kill()
        self.close()


def _open_to_all(path: Path) -> bool:
    """Whether any uid can reach the folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _copy_library(library: Path, home: Path) -> Path:
    """The standard library where every uid can read it, once per judge."""
    copy = home / "library"
    if not copy.exists():
        shutil.copytree(library, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        copy.chmod(0o755)
    return copy
