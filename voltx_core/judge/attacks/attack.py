"""One attack on the judge: hostile code, what it is after, and how success shows from outside."""

from dataclasses import dataclass, field
from typing import Literal

from voltx_core.data.problem import Test
from voltx_core.judge.program import Limits

Group = Literal["network", "reading", "writing", "resources", "time", "escape", "forging"]
GROUPS: tuple[Group, ...] = (
    "network",
    "reading",
    "writing",
    "resources",
    "time",
    "escape",
    "forging",
)

Sign = Literal[
    "secret",
    "changed",
    "contact",
    "signalled",
    "survivor",
    "growth",
    "overtime",
    "verdict",
    "judge",
]
SIGNS: dict[Sign, str] = {
    "secret": "a secret came back in an answer",
    "changed": "files or settings outside the jail are not what they were",
    "contact": "a listener outside was reached",
    "signalled": "a signal reached the process that asks for verdicts",
    "survivor": "a process was left running",
    "growth": "memory, threads or files grew over the limit",
    "overtime": "the run went on far beyond its limits",
    "verdict": "a test passed that must fail",
    "judge": "the judge failed, or misjudged the honest programs that followed",
}

QUICK = Limits(cpu_s=0.4, wall_s=20.0, memory_mib=128)
STALL = Limits(cpu_s=0.2, wall_s=1.0, memory_mib=128)

PRELUDE = '''
import ctypes, os, sys, time
_libc = ctypes.CDLL(None, use_errno=True)
def syscall(place, name, *arguments):
    """A raw system call; raises OSError where it is refused."""
    passed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = _libc.syscall(ctypes.c_long(place["calls"][name]), *passed)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
def tries(*actions):
    """What each action gives, or why it does not."""
    results = []
    for action in actions:
        try:
            results.append(action())
        except BaseException as error:
            results.append(repr(error))
    return results
def linger():
    """Live on with nothing in hand, so that nobody waits for this process."""
    os.closerange(0, 64)
    time.sleep(20)
    os._exit(0)
def slurp(path):
    with open(path, "rb") as file:
        return file.read(1 << 16)
'''


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Hostile code with a function ``attack(place)``.

    Attributes:
        name: what it tries, in words; unique.
        group: what it is aimed at.
        code: Python source; ``PRELUDE`` precedes it.
        sign: how success shows where nothing stops it. Every sign is looked for after every attack.
        tests: must fail; ``{needle}`` stands for a value the code cannot know, ``{number}`` for a
            number. Without tests one is made that notices any secret in the answer.
        before: code run before it in the same slot; its ``victim(place, token)`` gets a secret.
        beside: code run at the same time in another slot, likewise.
        unbounded: why it must not run where nothing stops it; empty if it bounds itself.
        needs: what must be true outside for it to mean anything: ``x86_64``, ``xattr``.
    """

    name: str
    group: Group
    code: str
    sign: Sign
    tests: tuple[Test, ...] = ()
    before: str = ""
    beside: str = ""
    unbounded: str = ""
    needs: tuple[str, ...] = ()
    limits: Limits = field(default=QUICK)
