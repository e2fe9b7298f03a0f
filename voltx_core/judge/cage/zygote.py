"""The zygote: a small warm interpreter that locks itself in and forks the processes of each run.

It never reads a program or a test. For calls it forks a candidate and hands its ends to a checker,
and the two stand by; for everything else it forks a supervisor, which forks the candidates. Either
takes the order from the wire itself, so nothing of one run can be found in the memory of the next.
The zygote only ends what is left of a run, empties the scratch folder, and says so.
"""

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import sys
import traceback

from . import kernel
from .candidate import OUTGOING
from .frames import ChannelClosed, read_exact, send, write_all
from .jail import Jail, enter, note_surroundings, owns_its_uid
from .modules import list_modules
from .process import NotStarted
from .rehearsal import rehearse
from .scratch import empty
from .standing import AnotherKind, StandingPair
from .supervision import Supervision
from .wire import CALLS, FAULT, ORDER, READY, SPENT, TRAILER

PRELOADED = [
    "abc",
    "array",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "io",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "os",
    "random",
    "re",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "time",
    "types",
    "typing",
    "unicodedata",
]


def main(specification: str) -> None:
    """Serve until the judge closes the request socket.

    Args:
        specification: JSON: ``jail`` (the fields of Jail), ``request`` and ``report``
            (descriptors), ``warm`` (preload what solutions import), ``library`` (where the
            standard library is readable from inside, or null), ``hide`` (a path to forget).
    """
    given = json.loads(specification)
    sys.argv = [""]
    fields = {**given["jail"], "readable": tuple(given["jail"]["readable"])}
    jail = Jail(**fields)
    request, report = given["request"], given["report"]
    try:
        if given["warm"]:
            for name in PRELOADED:
                importlib.import_module(name)
            rehearse()
            random.seed(0)
        _forget_paths(given["hide"], given["library"])
        if jail.hides_files:
            list_modules(given["library"] or os.path.dirname(os.__file__))
        note_surroundings()
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        enforced = enter(jail)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        where = traceback.extract_tb(error.__traceback__)[-1].name
        send(request, json.dumps({"error": f"{reason} (in {where})"}).encode())
        return
    os.dup2(0, 2)  # /dev/null
    while os.dup(0) <= OUTGOING:  # what a candidate is given stays clear of its places
        pass
    send(request, json.dumps({"enforced": enforced}).encode())
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ChannelClosed, ConnectionResetError, BrokenPipeError):  # it is gone
        _serve(jail, request, report)


def _forget_paths(hidden: str, library: str | None) -> None:
    sys.path = [path for path in sys.path if path != hidden]
    if library:
        original = os.path.dirname(os.__file__)
        sys.path = [path.replace(original, library) for path in sys.path]
        sys.path_importer_cache.clear()


def _serve(jail: Jail, request: int, report: int) -> None:
    """Carry out orders until the judge is gone or scratch cannot be emptied."""
    pair = StandingPair(jail, request, report)
    supervision = Supervision(jail, request, report)
    checked = not jail.foreign  # the next order is most likely of the last one's kind
    clean = True
    while clean:
        started: list[int] = []
        header, cpu_s = b"", 0.0
        try:
            if not checked:
                header = read_exact(request, ORDER.size)
                checked = header[:1] == CALLS
            if checked:
                how, exit_code, cpu_s = pair.judge(header)
        except AnotherKind as order:
            header, checked = order.header, False
        except NotStarted:
            if not header:
                read_exact(request, ORDER.size)
            how, exit_code = FAULT, 0
        if not checked:
            how, exit_code, started = supervision.run(header)
        _sweep(jail, started)
        clean = not jail.fills_scratch or _empty_scratch()
        state = READY if clean else SPENT
        write_all(request, TRAILER.pack(how, state, max(-128, min(127, exit_code)), cpu_s))


def _sweep(jail: Jail, started: list[int]) -> None:
    """Leave no process of the run behind: the zygote has become the parent of every orphan."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        if owns_its_uid(jail):
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # everyone else with this uid in this pid namespace
        for pid in [*started, *_children_in_sight(jail)]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        os.waitpid(-1, 0)


def _children_in_sight(jail: Jail) -> list[int]:
    """Orphans in sessions of their own, which only ``none`` lets a candidate start."""
    if jail.level != "none":
        return []
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        children = [int(pid) for pid in file.read().split()]
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return children


def _empty_scratch() -> bool:
    """Remove what the run left in the working directory; False if that does not work."""
    try:
        empty(".")
    except OSError:
        return False
    return True
