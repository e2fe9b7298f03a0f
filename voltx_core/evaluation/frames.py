"""What a frame is worth: pass@1 of the code written from it, beside its ablations.

If the pass rate did not fall when the frame is replaced by zeros or by another problem's frame,
the soft core would contribute nothing; so these rows stand beside every result.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal

import torch

from voltx_core.data.problem import Problem
from voltx_core.evaluation.intervals import bootstrap
from voltx_core.evaluation.verdict_rows import row_of, verdict_of
from voltx_core.frame import TensorFrame, frame_cosine
from voltx_core.judge import CalibratedLimits, Judge, Limits, Outcome, Program, Verdict
from voltx_core.soft_core.rar import Trajectory
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.soft_core.surest import answer
from voltx_core.training.pieces import Pieces
from voltx_core.training.session import Session
from voltx_core.translator.encoder import QueryFeatures
from voltx_core.translator.translator import Translator, Written

Variant = Literal["rar", "last", "one_shot", "query", "zero", "shuffled", "true"]
VARIANTS: dict[Variant, str] = {
    "rar": "RAR loop, surer frame",
    "last": "RAR loop, last frame",
    "one_shot": "one endpoint evaluation",
    "query": "raw query frame",
    "zero": "zero frame",
    "shuffled": "another problem's frame",
    "true": "true solution frame (upper bound)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One variant on one set of problems."""

    variant: Variant
    tasks: list[str]
    """What each problem asks for, in whatever words."""
    written: list[Written]
    verdicts: list[Verdict]
    trajectory: Trajectory | None
    cosine: float | None
    """Mean cosine to the true solution frame."""
    moved: float | None
    """Of ``rar``: share of the problems that were written from where the loop ended."""

    @property
    def passed(self) -> list[float]:
        return [float(verdict.passed) for verdict in self.verdicts]

    @property
    def pass_at_1(self) -> float:
        return sum(self.passed) / len(self.passed)

    @property
    def valid_share(self) -> float:
        """Share of syntactically valid programs."""
        broken = sum(v.outcome is Outcome.SYNTAX_ERROR for v in self.verdicts)
        return 1 - broken / len(self.verdicts)

    @property
    def tests_share(self) -> float:
        """Mean share of tests passed."""
        return sum(verdict.pass_rate for verdict in self.verdicts) / len(self.verdicts)

    def row(self, suite: str, seed: int = 0) -> dict[str, Any]:
        """One line of an ablation table."""
        interval = bootstrap(self.passed, tasks=self.tasks, seed=seed)
        return {
            "suite": suite,
            "frame": VARIANTS[self.variant],
            "n": interval.n,
            "pass@1": round(interval.mean, 4),
            "low": round(interval.low, 4),
            "high": round(interval.high, 4),
            "tests passed": round(self.tests_share, 4),
            "valid code": round(self.valid_share, 4),
            "cosine": None if self.cosine is None else round(self.cosine, 4),
        }


def open_judge(config: Any) -> Judge:
    """The judge a stage's configuration asks for."""
    judge = config.judge
    return Judge(
        workers=judge.workers or None, level=judge.level, allow_unsafe=judge.level == "none"
    )


def configured_limits(config: Any) -> Limits:
    """What a stage's configuration allows one program."""
    judge = config.judge
    return Limits(cpu_s=judge.cpu_s, wall_s=judge.wall_s, memory_mib=judge.memory_mib)


def judge_codes(
    judge: Judge,
    config: Any,
    problems: Sequence[Problem],
    codes: Sequence[str],
    stop: Callable[[], bool] | None = None,
    limits: CalibratedLimits | None = None,
) -> list[Verdict]:
    """Execute one program a problem within the configured limits, or those of each problem."""
    if limits:
        each = limits.of(problems, should_stop=stop)
    else:
        each = [configured_limits(config)] * len(problems)
    programs = [
        Program.of(problem, code, limits=own)
        for problem, code, own in zip(problems, codes, each, strict=True)
    ]
    return judge.run(programs, should_stop=stop)


@torch.no_grad()
def examine(
    run: Session,
    translator: Translator,
    core: SoftCore | None,
    problems: Sequence[Problem],
    judge: Judge,
    *,
    scope: str,
    variants: Sequence[Variant] = tuple(VARIANTS),
) -> dict[Variant, Examined]:
    """Write greedy code from each variant of the frame and judge it.

    What was written and how it was judged is progress, variant by variant.

    Args:
        run: The stage: checkpoints, stop flag, judge settings.
        translator: Encodes queries and solutions, writes code.
        core: The soft core; None leaves out ``rar``, ``last`` and ``one_shot``.
        problems: What to solve; solutions are needed for ``true`` and the cosines.
        judge: Executes the programs.
        scope: Names the checkpoints; one set of problems and models each.
        variants: Which rows to measure.

    Raises:
        Interrupted: A stop was asked for; finished variants are saved.
    """
    queries = [p.query for p in problems]
    query, asked = translator.encode(queries), translator.asked(queries)
    solved = all(p.solution for p in problems)
    truth = translator.encode([p.solution for p in problems]) if solved else None
    results: dict[Variant, Examined] = {}
    with Pieces(run, scope) as pieces:
        known = dict(pieces.rows)
        for variant in variants:
            if (core is None and variant in ("rar", "last", "one_shot")) or (
                truth is None and variant == "true"
            ):
                continue
            run.stop.check()
            frame, trajectory, moved = _frame(variant, core, translator, query, asked, truth)
            if variant in known:
                programs, rows = known[variant]
                written = [Written(*program) for program in programs]
                verdicts = [verdict_of(p.id, row) for p, row in zip(problems, rows, strict=True)]
            else:
                written = translator.write(frame, asked=asked)
                codes = [program.text for program in written]
                verdicts = judge_codes(judge, run.config, problems, codes, run.stop)
                pieces.add(
                    1, rows=[[variant, [list(map(astuple, written)), list(map(row_of, verdicts))]]]
                )
            results[variant] = Examined(
                variant=variant,
                tasks=[problem.task for problem in problems],
                written=written,
                verdicts=verdicts,
                trajectory=trajectory,
                cosine=None if truth is None else float(frame_cosine(frame, truth).mean()),
                moved=moved,
            )
    return results


def _frame(
    variant: Variant,
    core: SoftCore | None,
    translator: Translator,
    query: TensorFrame,
    asked: QueryFeatures | None,
    truth: TensorFrame | None,
) -> tuple[TensorFrame, Trajectory | None, float | None]:
    """The frame, the trajectory that led to it, and ``Examined.moved``."""
    if variant == "query":
        return query, None, None
    if variant == "zero":
        return query.veto(), None, None
    if variant == "true":
        assert truth is not None
        return truth, None, None
    if core is None:
        return query[torch.arange(len(query)).roll(1)], None, None
    if variant == "one_shot":
        return core.one_shot(query), None, None
    if variant == "rar":
        surer = answer(core, translator, query, asked)
        return surer.trajectory.frame, surer.trajectory, float(surer.moved.float().mean())
    trajectory = core.solve(query)
    if variant == "shuffled":
        return trajectory.frame[torch.arange(len(query)).roll(1)], None, None
    return trajectory.frame, trajectory, None
