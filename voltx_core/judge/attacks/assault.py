"""The process that attacks run under: one judge in an arena, and one finding per attack.

python -c "... from voltx_core.judge.attacks.assault import main; main(sys.argv[1])" '{...}'
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voltx_core.data.problem import StdioTest, Test
from voltx_core.errors import JudgeError
from voltx_core.judge.attacks.arena import Arena, new_secret, seal
from voltx_core.judge.attacks.attack import PRELUDE, Attack, Sign
from voltx_core.judge.attacks.bare import BareJudge
from voltx_core.judge.attacks.catalogue import CATALOGUE
from voltx_core.judge.attacks.lookout import Footprint, Lookout, descendants, footprint
from voltx_core.judge.cage import kernel
from voltx_core.judge.pool import Judge
from voltx_core.judge.program import Limits, Outcome, Program, Verdict

_THREADS_OVER = 96
_MEMORY_OVER_MIB = 600  # the tests' own process may be large, too
_STORED_OVER = 128 << 20
_FILES_OVER = 8192
_SETTLE_S, _REST_S = 3.0, 0.5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of one attack.

    Attributes:
        signs: how its success showed; empty if it failed.
        outcome: the verdict it got.
        not_run: why it was not tried; empty if it was.
    """

    name: str
    group: str
    signs: tuple[Sign, ...] = ()
    outcome: str = ""
    detail: str = ""
    not_run: str = ""


def main(specification: str) -> None:
    """Run the named attacks at a level and write what was found to stdout, a JSON line each.

    Args:
        specification: JSON: ``level``, ``folder``, ``names``, ``slack_s`` (how much longer than
            its limits a run may take before that counts).
    """
    given = json.loads(specification)
    folder = Path(given["folder"])
    out = os.fdopen(os.dup(1), "w")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    bare = given["level"] == "bare"
    walls = "a temporary folder of its own"
    if bare or os.geteuid() == 0:
        try:
            walls = seal(folder)
        except OSError as error:
            if bare:
                _say(out, {"error": f"no cage for attacks that nothing else holds: {error}"})
                return
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    known = {"command": given["command"], "environment": os.environ["VOLTX_CANARY"]}
    arena = Arena(folder, known)
    try:
        assault = Assault(given["level"], arena, given["slack_s"])
    except JudgeError as error:
        _say(out, {"error": str(error)})
        return
    _say(out, {"walls": walls, "user": "root" if os.geteuid() == 0 else f"uid {os.getuid()}"})
    for name in given["names"]:
        _say(out, {"begin": name})
        _say(out, {"finding": asdict(assault.attack(CATALOGUE[name]))})
    assault.close()
    arena.close()
    _say(out, {"end": True})


def _say(out: Any, word: dict[str, Any]) -> None:
    out.write(json.dumps(word) + "\n")
    out.flush()


class Assault:
    """One judge under attack.

    Raises:
        JudgeError: the level does not work here.
    """

    def __init__(self, level: str, arena: Arena, slack_s: float) -> None:
        self._level, self._arena, self._slack_s = level, arena, slack_s
        self._judge = self._new_judge()
        self._check_honest()
        self._at_rest = _settled(lambda: len(descendants()))

    def _new_judge(self) -> Judge | BareJudge:
        if self._level == "bare":
            return BareJudge()
        return Judge(workers=2, level=self._level, allow_unsafe=self._level == "none")

    def close(self) -> None:
        self._judge.close()

    def attack(self, attack: Attack) -> Finding:
        """Let one attack loose and look for every sign of success."""
        missing = [need for need in attack.needs if not self._arena.has(need)]
        held = self._level not in ("none", "bare")
        not_run = f"needs {missing[0]}" if missing else "" if held else attack.unbounded
        if not_run:
            return Finding(name=attack.name, group=attack.group, not_run=not_run)
        arena = self._arena
        arena.marked()
        nonce, token, needle = (
            secrets.token_hex(16),
            new_secret(),
            f"needle-{secrets.token_hex(16)}",
        )
        idle = footprint(arena.judge_folder)
        state = arena.state()
        started = time.monotonic()
        signs: list[Sign] = []
        verdict: Verdict | None = None
        with Lookout(arena.judge_folder, arena.bustle) as lookout:
            try:
                verdict = self._run(attack, nonce, token, needle)
                elapsed = time.monotonic() - started
                signs += self._signs_of(attack, verdict, nonce, elapsed)
                if not self._check_honest():
                    signs.append("judge")
            except JudgeError:
                signs.append("judge")
                self._judge.close()
                self._judge = self._new_judge()
        signs += self._signs_outside(attack, state, idle, lookout.peak)
        return Finding(
            name=attack.name,
            group=attack.group,
            signs=tuple(dict.fromkeys(signs)),
            outcome=str(verdict.outcome) if verdict else "",
            detail=ascii(verdict.detail.replace(nonce, "")[:300])[1:-1] if verdict else "",
        )

    def _run(self, attack: Attack, nonce: str, token: str, needle: str) -> Verdict:
        place = self._arena.place()
        victim = f"assert victim({place!r}, {token!r}) == 1"
        if attack.before:
            self._judge.run([self._program("before", attack.before, (victim,), "victim")])
        known = [*self._arena.all_secrets(), token]
        if attack.tests:
            number = str(3_000_000 + secrets.randbelow(10**6) + 0.5)
            tests = tuple(_filled(test, place, needle, number) for test in attack.tests)
        else:
            noticed = f"any(secret in answer for secret in {known!r})"
            tests = (f"answer = repr(attack({place!r}))\nassert not {noticed}, {nonce!r}",)
        whole = isinstance(tests[0], StdioTest)
        code = attack.code if whole else PRELUDE + attack.code
        programs = [
            self._program("attack", code, tests, None if whole else "attack", attack.limits)
        ]
        if attack.beside:
            programs.append(self._program("beside", attack.beside, (victim,), "victim"))
        return self._judge.run(programs)[0]

    def _program(
        self,
        name: str,
        code: str,
        tests: tuple[Test, ...],
        entry_point: str | None,
        limits: Limits | None = None,
    ) -> Program:
        limits = limits or Limits(wall_s=60.0)
        return Program(id=name, code=code, tests=tests, entry_point=entry_point, limits=limits)

    def _check_honest(self) -> bool:
        """Whether the judge still tells right from wrong."""
        code = "def attack(place): return [1, 2]"
        good = self._program("good", code, ("assert attack(1) == [1, 2]",), "attack")
        bad = self._program("bad", code, ("assert attack(1) == [1, 3]",), "attack")
        verdicts = self._judge.run([good, bad])
        return verdicts[0].passed and verdicts[1].outcome is Outcome.FAILED

    def _signs_of(self, attack: Attack, verdict: Verdict, nonce: str, elapsed: float) -> list[Sign]:
        signs: list[Sign] = []
        if nonce in verdict.detail:
            signs.append("secret")
        if attack.tests and (verdict.passed or verdict.tests_passed):
            signs.append("verdict")
        over_cpu = verdict.cpu_s > 3 * attack.limits.cpu_s + 4.0
        if over_cpu or elapsed > 3 * attack.limits.wall_s * self._rounds(attack) + self._slack_s:
            signs.append("overtime")
        text = verdict.detail.replace("\n", "").replace("\t", "")
        if not text.isprintable() and self._level != "bare":
            signs.append("judge")  # whoever prints or stores it is in for a surprise
        return signs

    def _rounds(self, attack: Attack) -> int:
        return len(attack.tests) or 1 if self._level == "bare" else 1

    def _signs_outside(
        self,
        attack: Attack,
        state: dict[str, Any],
        idle: Footprint,
        peak: Footprint,
    ) -> list[Sign]:
        arena = self._arena
        signs: list[Sign] = []
        memory = (attack.limits.memory_mib + _MEMORY_OVER_MIB) << 20
        if (
            peak.threads > idle.threads + _THREADS_OVER
            or peak.memory_bytes > idle.memory_bytes + memory
            or peak.stored_bytes > idle.stored_bytes + _STORED_OVER
            or peak.stored_files > idle.stored_files + _FILES_OVER
        ):
            signs.append("growth")
        if self._survivors():
            signs.append("survivor")
        if arena.contacted():
            signs.append("contact")
        if arena.signalled():
            signs.append("signalled")
        if arena.traces() or arena.state() != state:
            signs.append("changed")
            arena.restore()
        return signs

    def _survivors(self) -> list[int]:
        """Processes that are too many once everything had time to settle; they are ended.

        The honest programs that follow an attack leave every slot standing ready again.
        """
        expected, end = self._at_rest, time.monotonic() + _SETTLE_S
        while len(alive := descendants()) > expected and time.monotonic() < end:
            time.sleep(0.02)
        surplus = alive[expected:] if len(alive) > expected else []
        if surplus and self._level in ("bare", "none"):
            for pid in sorted(surplus):
                try:
                    os.kill(pid, 9)
                except OSError:
                    continue
        return surplus


def _settled(count: Callable[[], int]) -> int:
    """What a count comes to once it has not changed for a while: slots make themselves ready."""
    last, since = count(), time.monotonic()
    while time.monotonic() < since + _REST_S:
        time.sleep(0.02)
        if (now := count()) != last:
            last, since = now, time.monotonic()
    return last


def _filled(test: Test, place: dict[str, Any], needle: str, number: str) -> Test:
    if isinstance(test, StdioTest):
        return StdioTest(
            stdin=test.stdin.format(needle=needle, number=number),
            stdout=test.stdout.format(needle=needle, number=number),
        )
    return test.format(place=repr(place), needle=needle, number=number)


if __name__ == "__main__":
    main(sys.argv[1])
