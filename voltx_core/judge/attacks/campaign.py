"""Attacks at one level as one user: starts the process they run under, and outlives it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import voltx_core
from voltx_core.errors import JudgeError
from voltx_core.judge.attacks.arena import new_secret
from voltx_core.judge.attacks.assault import Finding
from voltx_core.judge.attacks.attack import GROUPS
from voltx_core.judge.attacks.catalogue import CATALOGUE

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[2]); "
    "from voltx_core.judge.attacks.assault import main; main(sys.argv[1])"
)
_SILENCE_S = 300.0
_SLACK_S = 30.0
_PYTHONS = (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3")


@dataclass(frozen=True, kw_only=True)
class AttackReport:
    """What a campaign came to.

    Attributes:
        level: ``ns``, ``uid``, ``seccomp``, ``none``, or ``bare`` (the weak judge, for control).
        user: ``root`` or ``uid N``.
        walls: what held the attacks beside the judge.
        why: why nothing was run; empty if it was.
    """

    level: str
    user: str
    walls: str = ""
    findings: tuple[Finding, ...] = ()
    why: str = ""

    @property
    def run(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.not_run)

    @property
    def succeeded(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.signs)

    @property
    def attacks_run(self) -> int | None:
        return None if self.why else len(self.run)

    @property
    def attacks_succeeded(self) -> int | None:
        return None if self.why else len(self.succeeded)

    def by_group(self) -> dict[str, tuple[int, int]]:
        """Attacks run and succeeded, group by group."""
        run = Counter(finding.group for finding in self.run)
        won = Counter(finding.group for finding in self.succeeded)
        return {group: (run[group], won[group]) for group in GROUPS if run[group]}


def run_attacks(
    level: str,
    *,
    uid: int | None = None,
    names: Iterable[str] | None = None,
    slack_s: float = _SLACK_S,
    on_finding: Callable[[Finding], None] | None = None,
) -> AttackReport:
    """Let attacks loose on a judge at a level, in a cage of their own.

    Args:
        level: ``ns``, ``uid``, ``seccomp``, ``none``, or ``bare`` for the weak judge.
        uid: the user to be; needs root. Oneself by default.
        names: of attacks in ``CATALOGUE``; all by default.
        slack_s: how many seconds beyond three times its wall limit a run may last.
        on_finding: called after every attack.

    Returns:
        The report; ``why`` in it says why nothing ran.
    """
    left = list(CATALOGUE if names is None else names)
    user = "root" if (os.geteuid() if uid is None else uid) == 0 else f"uid {uid or os.geteuid()}"
    findings: list[Finding] = []
    walls = ""
    folder = Path(tempfile.mkdtemp(prefix="voltx-attacks-"))
    try:
        folder.chmod(0o755)
        try:
            python, source = _interpreter(folder, uid)
        except JudgeError as error:
            return AttackReport(level=level, user=user, why=str(error))
        while left:
            run = _Run(python, source, folder, level, uid, left, slack_s)
            for word in run.words():
                if "error" in word:
                    return AttackReport(level=level, user=user, why=word["error"])
                walls = word.get("walls", walls)
                if "begin" in word:
                    left.remove(word["begin"])
                if "finding" in word:
                    said = word["finding"]
                    findings.append(Finding(**{**said, "signs": tuple(said["signs"])}))
                    if on_finding:
                        on_finding(findings[-1])
            fallen = run.under_way
            if fallen:  # it took down the very process that asks for verdicts
                findings.append(
                    Finding(name=fallen, group=CATALOGUE[fallen].group, signs=("judge",))
                )
            elif left:
                why = f"the process that runs the attacks ended early: {run.complaint()}"
                return AttackReport(level=level, user=user, why=why)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return AttackReport(level=level, user=user, walls=walls, findings=tuple(findings))


class _Run:
    """One process that attacks run under."""

    def __init__(
        self,
        python: str,
        source: Path,
        folder: Path,
        level: str,
        uid: int | None,
        names: list[str],
        slack_s: float,
    ) -> None:
        self.under_way = ""
        self._names, self._slack_s = names, slack_s
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as this object)
        arena = Path(tempfile.mkdtemp(dir=folder))
        arena.chmod(0o755)
        if uid is not None:
            os.chown(arena, uid, uid)
        command = new_secret()
        specification = {
            "level": level,
            "folder": str(arena),
            "names": names,
            "slack_s": slack_s,
            "command": command,
        }
        other: dict[str, Any] = {}
        if uid is not None:
            other = {"user": uid, "group": uid, "extra_groups": []}
        self._process = subprocess.Popen(
            [python, "-s", "-B", "-c", _BOOT, json.dumps(specification), str(source)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "VOLTX_CANARY": new_secret()},
            cwd="/",
            start_new_session=True,
            **other,
        )

    def words(self) -> Iterable[dict[str, Any]]:
        """What the process says, until it ends or has been silent too long."""
        assert self._process.stdout is not None
        try:
            while True:
                alarm = threading.Timer(_SILENCE_S + self._slack_s, self._process.kill)
                alarm.start()
                line = self._process.stdout.readline()
                alarm.cancel()
                try:
                    word = json.loads(line)
                except ValueError:  # it ended, or somebody else wrote into its descriptor
                    return
                self.under_way = word.get("begin", "")
                yield word
        finally:
            self._process.stdout.close()
            self._process.kill()
            self._process.wait()

    def complaint(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()[-500:] or "it said nothing"


def _interpreter(folder: Path, uid: int | None) -> tuple[str, Path]:
    """A Python and a copy of this library that the user can read.

    Raises:
        JudgeError: there is none.
    """
    source = Path(voltx_core.__file__).parents[1]
    if uid is None:
        return sys.executable, source
    copy = folder / "source"
    loaded = [
        Path(path)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "voltx_core" and (path := getattr(module, "__file__", None))
    ]
    judge = (source / "voltx_core" / "judge").rglob("*.py")
    for path in {*loaded, *judge}:
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    probe = "import sys, sqlite3, ctypes; sys.exit(sys.version_info < (3, 11))"
    for python in dict.fromkeys(_PYTHONS):
        try:
            done = subprocess.run(
                [python, "-I", "-c", probe],
                user=uid,
                group=uid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python, copy
    raise JudgeError(
        f"no Python 3.11 or newer that uid {uid} can read among {', '.join(_PYTHONS)}; install one "
        "for all users, or run the attacks as that user"
    )
