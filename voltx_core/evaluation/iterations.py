"""RAR iterations against the steps that an algorithm takes."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from voltx_core.data.problem import Problem
from voltx_core.data.suites.answers import AnswerItem, parse_values
from voltx_core.evaluation.step_correlation import correlation

if TYPE_CHECKING:
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

BATCH = 256
"""Queries solved at once."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """Queries whose algorithms take a known number of steps.

    Attributes:
        name: Of the metric.
        title: What is counted.
        groups: What each query belongs to; queries of one group are not independent.
    """

    name: str
    title: str
    queries: Sequence[str]
    steps: Sequence[int]
    groups: Sequence[Hashable]


def composed(problems: Sequence[Problem]) -> Stepped:
    """Generated problems: a step is one of the operations that a task is composed of."""
    known = [problem for problem in problems if "depth" in problem.traits]
    return Stepped(
        "generated",
        "generated problems, operations composed",
        [problem.query for problem in known],
        [problem.traits["depth"] for problem in known],
        [problem.task for problem in known],
    )


def traced(items: Sequence[AnswerItem]) -> Stepped:
    """CLRS-30: a step is a state that the algorithm goes through before its result."""
    return Stepped(
        "clrs",
        "CLRS-30, states of the algorithm",
        [item.query for item in items],
        [states_of(item) for item in items],
        [item.traits["algorithm"] for item in items],
    )


def states_of(item: AnswerItem) -> int:
    """States in the trace of a CLRS reference; 0 where it gives the result at once."""
    trace = item.answer.rpartition("|")[0]
    return len(parse_values(trace)) if trace.strip() else 0


def against_steps(
    given: Stepped,
    core: "SoftCore",
    translator: "Translator",
    *,
    resamples: int,
    seed: int,
    poll: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Rank correlation of iterations with steps, one row of the table.

    Args:
        given: Queries and steps; at least one.
        core: Whose iterations.
        translator: Reads the queries; what it cannot see of long ones is said.
        resamples: Of the interval.
        seed: Decides them.
        poll: Called between batches; what it raises ends the work.
    """
    counts: list[int] = []
    for start in range(0, len(given.queries), BATCH):
        poll()
        frame = translator.encode(given.queries[start : start + BATCH])
        with torch.no_grad():
            counts += core.solve(frame).iterations.tolist()
    lengths = translator.tokenizer.lengths(given.queries)
    found = correlation(given.steps, counts, given.groups, resamples=resamples, seed=seed)
    return {
        "steps": given.title,
        "problems": found.n,
        "independent groups": found.groups,
        "Spearman": found.rho,
        "low": found.low,
        "high": found.high,
        "mean steps": sum(given.steps) / found.n,
        "mean iterations": sum(counts) / found.n,
        "queries cut short": sum(n > translator.encoder.max_tokens for n in lengths) / found.n,
    }
