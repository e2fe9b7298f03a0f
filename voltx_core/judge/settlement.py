"""What is settled about a problem before anybody's program is judged on it, by its reference.

Whether its tests can be run apart from the candidate, and how much time a right solution needs.
Both are decided once per problem, when a suite is loaded, and never by a sample.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from voltx_core.data.problem import Problem
from voltx_core.judge.calibration import calibrated
from voltx_core.judge.pool import Judge
from voltx_core.judge.program import Assurance, Limits, Outcome, Program, Verdict

Status = Literal["split", "inproc", "broken", "not_run"]
_GENEROUS_CPU_S, _GENEROUS_WALL_S = 30.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the reference of one problem has shown.

    Attributes:
        problem: as given; with the trait ``assurance="inproc"`` where it passes only so.
        status: ``split`` or ``inproc``, whichever the reference passes in; ``broken`` if it passes
            in neither; ``not_run`` where the language's tools are missing.
        why: for anything but ``split``, the reason.
        limits: calibrated from the reference; those given for ``broken`` and ``not_run``.
        verdict: on the reference.
    """

    problem: Problem
    status: Status
    why: str
    limits: Limits
    verdict: Verdict


def settle(
    problems: Sequence[Problem],
    judge: Judge,
    *,
    base: Limits | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Settlement]:
    """Run every problem's reference: split where that passes, else beside its tests.

    Args:
        problems: each with the solution it was published with.
        judge: what runs them; references are hostile until they have passed, too.
        base: limits other than time, and the least wall limit; time is generous here.
        should_stop: as for ``Judge.run``.

    Returns:
        One settlement per problem, in their order.

    Raises:
        JudgeError, Interrupted: as for ``Judge.run``.
    """
    base = base or Limits()
    generous = dataclasses.replace(
        base,
        cpu_s=max(base.cpu_s, _GENEROUS_CPU_S),
        wall_s=max(base.wall_s, _GENEROUS_WALL_S),
    )

    def run(rows: Sequence[int], assurance: Assurance) -> dict[int, Verdict]:
        programs = [
            dataclasses.replace(
                Program.of(problems[row], problems[row].solution, limits=generous),
                assurance=assurance,
            )
            for row in rows
        ]
        return dict(zip(rows, judge.run(programs, should_stop=should_stop), strict=True))

    first = run(range(len(problems)), "split")
    refused = [row for row, verdict in first.items() if _may_pass_beside(problems[row], verdict)]
    second = run(refused, "inproc")
    return [
        _settled(problem, first[row], second.get(row), base) for row, problem in enumerate(problems)
    ]


def calibrate(
    problems: Sequence[Problem],
    judge: Judge,
    *,
    base: Limits | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Limits]:
    """Limits per problem from its reference: ``settle`` for those who want nothing else.

    It executes every reference: keep the result where many samples are judged.
    """
    return [
        settled.limits for settled in settle(problems, judge, base=base, should_stop=should_stop)
    ]


class CalibratedLimits:
    """Limits per problem for those who judge many samples: each reference is run once.

    Args:
        judge: what runs the references.
        base: limits other than CPU time; its CPU time is the most that any problem gets.
    """

    def __init__(self, judge: Judge, base: Limits) -> None:
        self._judge, self._base = judge, base
        self._known: dict[tuple[str, str], Limits] = {}

    def of(
        self, problems: Sequence[Problem], *, should_stop: Callable[[], bool] | None = None
    ) -> list[Limits]:
        """Limits of each problem; references that were not run before are run now.

        Raises:
            JudgeError, Interrupted: as for ``Judge.run``.
        """
        keys = [(problem.id, problem.solution) for problem in problems]
        fresh = {
            key: problem
            for key, problem in zip(keys, problems, strict=True)
            if key not in self._known
        }
        found = calibrate(
            list(fresh.values()), self._judge, base=self._base, should_stop=should_stop
        )
        for key, limits in zip(fresh, found, strict=True):
            cpu_s = min(limits.cpu_s, self._base.cpu_s)
            self._known[key] = dataclasses.replace(limits, cpu_s=cpu_s)
        return [self._known[key] for key in keys]


def _may_pass_beside(problem: Problem, verdict: Verdict) -> bool:
    return (
        problem.language == "python"
        and not verdict.passed
        and any(isinstance(test, str) for test in problem.tests)
    )


def _settled(problem: Problem, first: Verdict, second: Verdict | None, base: Limits) -> Settlement:
    verdict = second if second and second.passed else first
    if verdict.passed:
        why = ""
        traits = {k: v for k, v in problem.traits.items() if k != "assurance"}
        if verdict is second:
            traits["assurance"] = "inproc"
            why = f"its tests need the candidate's own interpreter; apart from it: {first.detail}"
        elif verdict.assurance == "inproc":
            why = f"tests in {problem.language} run in the candidate's process"
        return Settlement(
            problem=dataclasses.replace(problem, traits=traits),
            status=verdict.assurance,
            why=why,
            limits=calibrated(verdict.cpu_s, base),
            verdict=verdict,
        )
    if first.outcome is Outcome.NOT_RUN and problem.language != "python":
        return Settlement(
            problem=problem, status="not_run", why=first.detail, limits=base, verdict=first
        )
    why = f"its reference fails its own tests: {first.outcome}: {first.detail}"
    if second:
        why += f"; in one interpreter: {second.outcome}: {second.detail}"
    return Settlement(problem=problem, status="broken", why=why, limits=base, verdict=first)
