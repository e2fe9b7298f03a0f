"""The problem set and its splits: what is held out from what, and how that is kept.

Guarantees, for one seed:

- no query occurs twice, in one split or in two;
- a task with a constant belongs to exactly one of train, validation, calibration, heldout and
  replay, so those splits share no solution with a constant in it. A task without constants has
  one solution only; there the splits differ in the query, and ``traits["solution_in_train"]``
  says so;
- compositions of validation, calibration, heldout and replay all occur in train;
- an unordered pair of families is held out or not, by seed. No train task contains both
  families of a held-out pair, at any distance; every task of "compositions" does, while each
  of its families occurs in train;
- "phrasing" asks for train compositions, every step in held-out words.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations

from voltx_core.data.generator.cases import cases_of
from voltx_core.data.generator.catalogue import FAMILIES, taking
from voltx_core.data.generator.phrasing import Phrasing, phrase
from voltx_core.data.generator.problems import problem_of
from voltx_core.data.generator.rendering import supported
from voltx_core.data.generator.task import Step, Task
from voltx_core.data.problem import Language, Problem
from voltx_core.errors import DataError

DEPTH_WEIGHTS = {1: 0.2, 2: 0.5, 3: 0.3}
HELD_OUT_PAIRS_PERCENT = 12
BUCKETS = {"train": 68, "validation": 8, "calibration": 8, "heldout": 8, "replay": 8}
"""Percent of the tasks with constants that belong to each split."""

PATIENCE = 3000
"""Draws in a row without anything new after which the space counts as exhausted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """How many problems each split gets."""

    train: int = 4400
    validation: int = 300
    calibration: int = 600
    heldout: int = 400
    compositions: int = 400
    phrasing: int = 400
    replay: int = 0


@dataclass(frozen=True, slots=True)
class _Draw:
    task: Task
    query: str
    phrasing: Phrasing


def generate_problems(
    seed: int, counts: SplitCounts | None = None, *, language: Language = "python"
) -> dict[str, list[Problem]]:
    """The generated problem set, by split; a pure function of its arguments.

    A smaller train split is a prefix of a larger one. In another language than Python the tasks
    and queries are the same and those the language does not support are left out, so a split
    can come out smaller than asked.

    Args:
        seed: decides everything, including which pairs of families are held out.
        counts: problems per split.
        language: the language of solutions and tests.

    Returns:
        Lists of problems under "train", "validation", "calibration", "heldout", "compositions",
        "phrasing" and "replay".

    Raises:
        DataError: when a split asks for more problems than exist.
    """
    counts = counts or SplitCounts()
    draws = _SplitDrawing(seed).draw_all(counts)
    solved_in_train = {d.task for d in draws["train"]}
    return {
        split: [
            problem_of(
                d.task,
                d.query,
                phrasing=d.phrasing,
                language=language,
                traits={"split": split, "solution_in_train": d.task in solved_in_train},
            )
            for d in drawn
            if supported(d.task, language)
        ]
        for split, drawn in draws.items()
    }


def is_held_out_pair(seed: int, first: str, second: str) -> bool:
    """Whether no training task may contain both families."""
    low, high = sorted((first, second))
    return _percent(f"{seed}:pair:{low}:{high}") < HELD_OUT_PAIRS_PERCENT


def has_held_out_pair(seed: int, families: tuple[str, ...]) -> bool:
    """Whether any two of the families form a held-out pair."""
    return any(is_held_out_pair(seed, a, b) for a, b in combinations(families, 2))


def split_of_task(seed: int, task: Task) -> str | None:
    """The only split a task with constants may occur in; None for a task without."""
    if all(step.constant is None for step in task.steps):
        return None
    position = _percent(f"{seed}:task:{task.key}")
    for split, share in BUCKETS.items():
        position -= share
        if position < 0:
            return split
    raise AssertionError("the bucket shares add up to 100")


def draw_families(rng: random.Random) -> tuple[str, ...]:
    """A random chain of distinct families that fit together, one to three long."""
    depth = rng.choices(list(DEPTH_WEIGHTS), list(DEPTH_WEIGHTS.values()))[0]
    while True:
        chain = [rng.choice(list(FAMILIES.values()))]
        while len(chain) < depth:
            following = [f for f in taking(chain[-1].gives) if f not in chain]
            if not following:
                break
            chain.append(rng.choice(following))
        if len(chain) == depth:
            return tuple(f.name for f in chain)


def draw_constants(families: tuple[str, ...], rng: random.Random) -> Task:
    """The families as a task, each constant drawn at random."""
    return Task(
        tuple(
            Step(name, rng.choice(FAMILIES[name].constants) if FAMILIES[name].constants else None)
            for name in families
        )
    )


def _percent(text: str) -> int:
    """A number in 0..99 that depends on the text alone, evenly spread."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 100


class _SplitDrawing:
    """Draws all splits of one seed, never the same query twice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.queries: set[str] = set()

    def draw_all(self, counts: SplitCounts) -> dict[str, list[_Draw]]:
        train = self._draw_split("train", counts.train, self._propose_train())
        known = [d.task.families for d in train]
        in_train = {name for families in known for name in families}
        proposals: dict[str, Callable[[random.Random], Task | None]] = {
            split: self._propose_known(split, known)
            for split in ("validation", "calibration", "heldout", "phrasing", "replay")
        }
        proposals["compositions"] = self._propose_new(in_train)
        draws = {"train": train}
        for split, count in asdict(counts).items():
            if split != "train":
                draws[split] = self._draw_split(split, count, proposals[split])
        return draws

    def _propose_train(self) -> Callable[[random.Random], Task | None]:
        alone = [(name,) for name in FAMILIES]
        random.Random(f"{self.seed}:alone").shuffle(alone)

        def propose(rng: random.Random) -> Task | None:
            families = alone[-1] if alone else draw_families(rng)
            task = draw_constants(families, rng)
            fits = split_of_task(self.seed, task) in (None, "train")
            if not fits or has_held_out_pair(self.seed, families):
                return None
            if alone:
                alone.pop()
            return task

        return propose

    def _propose_known(
        self, split: str, known: list[tuple[str, ...]]
    ) -> Callable[[random.Random], Task | None]:
        bucket = "train" if split == "phrasing" else split

        def propose(rng: random.Random) -> Task | None:
            task = draw_constants(rng.choice(known), rng)
            return task if split_of_task(self.seed, task) in (None, bucket) else None

        return propose

    def _propose_new(self, in_train: set[str]) -> Callable[[random.Random], Task | None]:
        def propose(rng: random.Random) -> Task | None:
            families = draw_families(rng)
            if not has_held_out_pair(self.seed, families) or not in_train.issuperset(families):
                return None
            return draw_constants(families, rng)

        return propose

    def _draw_split(
        self, split: str, count: int, propose: Callable[[random.Random], Task | None]
    ) -> list[_Draw]:
        rng = random.Random(f"{self.seed}:{split}")
        drawn: list[_Draw] = []
        misses = 0
        while len(drawn) < count:
            if misses > PATIENCE:
                raise DataError(
                    f"the generator found only {len(drawn)} of the {count} problems asked for in "
                    f"split {split!r} (seed {self.seed}): nothing new in {PATIENCE} draws. Ask "
                    "for fewer there, or for more training problems if the split depends on them"
                )
            misses += 1
            task = propose(rng)
            if task is None or not supported(task, "python") or cases_of(task) is None:
                continue
            phrasing: Phrasing = "train"
            if split == "phrasing":
                phrasing = "seen-words" if len(drawn) % 2 == 0 else "unseen-words"
            query = phrase(task, phrasing, rng)
            if query not in self.queries:
                self.queries.add(query)
                drawn.append(_Draw(task, query, phrasing))
                misses = 0
        return drawn
