"""The problem set and its splits: what is held out from what, and how that is kept.

Guarantees, for one seed:

- no query occurs twice, in one split or in two;
- a task with a constant belongs to exactly one of train, validation, calibration, heldout and
  replay, so those splits share no solution with a constant in it. A task without constants has
  one solution only; there the splits differ in the query, and ``traits["solution_in_train"]``
  says so;
- constants of two digits occur in train alone;
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
from functools import lru_cache
from itertools import combinations, product

from voltx_core.data.generator.cases import cases_of
from voltx_core.data.generator.families.catalogue import FAMILIES, giving, taking
from voltx_core.data.generator.families.constants import WIDE
from voltx_core.data.generator.phrasing import Phrasing, phrase
from voltx_core.data.generator.problems import problem_of
from voltx_core.data.generator.rendering import supported
from voltx_core.data.generator.task import Step, Task
from voltx_core.data.problem import Language, Problem
from voltx_core.errors import DataError

DEPTH_WEIGHTS = {1: 0.2, 2: 0.5, 3: 0.3}
"""Share of the problems that are drawn to be one, two and three operations deep."""

HELD_OUT_PAIRS_PERCENT = 12
BUCKETS = {"train": 68, "validation": 8, "calibration": 8, "heldout": 8, "replay": 8}
"""Percent of the tasks with constants that belong to each split."""

CONSTANTS_SHARE = 0.5
"""Share of the problems with known compositions that must have a constant, so that the splits
differ from train in the solution as well; the others may."""

WIDE_SHARE = 0.5
"""Share of the draws for training whose constants, if there are any, come from ``WIDE``. Many of
them cannot be tested (no list is 57 long), so about a sixth of the problems end up with one."""

PATIENCE = 30
"""Draws around each family without anything new after which a depth counts as exhausted."""


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
    seed: int,
    counts: SplitCounts | None = None,
    *,
    language: Language = "python",
    poll: Callable[[], None] = lambda: None,
) -> dict[str, list[Problem]]:
    """The generated problem set, by split; a pure function of its arguments.

    A smaller train split is a prefix of a larger one. In another language than Python the tasks
    and queries are the same and those the language does not support are left out, so a split
    can come out smaller than asked.

    Args:
        seed: decides everything, including which pairs of families are held out.
        counts: problems per split.
        language: the language of solutions and tests.
        poll: called before each problem; may raise to end the work.

    Returns:
        Lists of problems under "train", "validation", "calibration", "heldout", "compositions",
        "phrasing" and "replay".

    Raises:
        DataError: when a split asks for more problems than exist.
    """
    counts = counts or SplitCounts()
    draws = _SplitDrawing(seed, poll).draw_all(counts)
    solved_in_train = {d.task for d in draws["train"]}

    def problem(d: _Draw, split: str) -> Problem:
        poll()
        return problem_of(
            d.task,
            d.query,
            phrasing=d.phrasing,
            language=language,
            traits={"split": split, "solution_in_train": d.task in solved_in_train},
        )

    return {
        split: [problem(d, split) for d in drawn if supported(d.task, language)]
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
    constants = {step.constant for step in task.steps} - {None}
    if not constants:
        return None
    if not constants.isdisjoint(WIDE):
        return "train"
    position = _percent(f"{seed}:task:{task.key}")
    for split, share in BUCKETS.items():
        position -= share
        if position < 0:
            return split
    raise AssertionError("the bucket shares add up to 100")


def draw_families(focus: str, depth: int, rng: random.Random) -> tuple[str, ...] | None:
    """A random chain of ``depth`` distinct families that fit together, ``focus`` among them.

    Returns:
        The names in order; None when the draw ran into a dead end.
    """
    chain = [focus]
    before = rng.randrange(depth)
    for place in range(depth - 1):
        if place < before:
            fitting = giving(FAMILIES[chain[0]].takes)
        else:
            fitting = taking(FAMILIES[chain[-1]].gives)
        names = [f.name for f in fitting if f.name not in chain]
        if not names:
            return None
        chain.insert(0 if place < before else len(chain), rng.choice(names))
    return tuple(chain)


def draw_constants(families: tuple[str, ...], rng: random.Random, *, wide: bool = False) -> Task:
    """The families as a task, each constant drawn at random; from ``WIDE`` if asked."""

    def draw(name: str) -> int | None:
        constants = FAMILIES[name].constants
        return rng.choice(WIDE if wide else constants) if constants else None

    return Task(tuple(Step(name, draw(name)) for name in families))


@lru_cache(maxsize=65536)
def _percent(text: str) -> int:
    """A number in 0..99 that depends on the text alone, evenly spread."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 100


Propose = Callable[[str, int, random.Random], Task | None]
"""Draws a task for a split, given a family to include where the split leaves the choice and a
depth; None when the draw is void."""


class _SplitDrawing:
    """Draws all splits of one seed, never the same query twice."""

    def __init__(self, seed: int, poll: Callable[[], None]) -> None:
        self.seed, self.poll = seed, poll
        self.queries: set[str] = set()

    def draw_all(self, counts: SplitCounts) -> dict[str, list[_Draw]]:
        train = self._draw_split("train", counts.train, self._propose_train())
        in_train = {name for d in train for name in d.task.families}
        draws = {"train": train}
        for split, count in asdict(counts).items():
            if split == "compositions":
                draws[split] = self._draw_split(split, count, self._propose_new(in_train))
            elif split != "train":
                draws[split] = self._draw_split(split, count, self._propose_known(split, train))
        return draws

    def _propose_train(self) -> Propose:
        """Every family alone once, in random order; then chains without a held-out pair."""
        alone = [families for name in FAMILIES if self._own(families := (name,), "train")]
        random.Random(f"{self.seed}:alone").shuffle(alone)

        def propose(focus: str, depth: int, rng: random.Random) -> Task | None:
            families = alone[-1] if alone else draw_families(focus, depth, rng)
            if families is None or has_held_out_pair(self.seed, families):
                return None
            task = draw_constants(families, rng, wide=rng.random() < WIDE_SHARE)
            if split_of_task(self.seed, task) not in (None, "train") or not is_usable(task):
                return None
            if alone:
                alone.pop()
            return task

        return propose

    def _propose_known(self, split: str, train: list[_Draw]) -> Propose:
        """Compositions of train problems, with constants that belong to the split."""
        bucket = "train" if split == "phrasing" else split
        by_depth: dict[int, list[tuple[str, ...]]] = {}
        with_constants: dict[int, list[tuple[str, ...]]] = {}
        for d in train:
            by_depth.setdefault(len(d.task.steps), []).append(d.task.families)
            if split_of_task(self.seed, d.task):
                with_constants.setdefault(len(d.task.steps), []).append(d.task.families)

        def propose(_focus: str, depth: int, rng: random.Random) -> Task | None:
            source = with_constants if rng.random() < CONSTANTS_SHARE else by_depth
            if depth not in source:
                return None
            own = self._own(rng.choice(source[depth]), bucket)
            return rng.choice(own) if own else None

        return propose

    def _propose_new(self, in_train: set[str]) -> Propose:
        """Chains with a held-out pair, of families that train uses."""

        def propose(focus: str, depth: int, rng: random.Random) -> Task | None:
            families = draw_families(focus, max(depth, 2), rng)
            if families is None or not in_train.issuperset(families):
                return None
            if not has_held_out_pair(self.seed, families):
                return None
            task = draw_constants(families, rng)
            return task if is_usable(task) else None

        return propose

    def _own(self, families: tuple[str, ...], bucket: str) -> list[Task]:
        """The usable tasks of a composition that may occur in a split."""
        return [
            task
            for task in _assignments(families)
            if split_of_task(self.seed, task) in (None, bucket) and is_usable(task)
        ]

    def _draw_split(self, split: str, count: int, propose: Propose) -> list[_Draw]:
        rng = random.Random(f"{self.seed}:{split}")
        weights = dict(DEPTH_WEIGHTS)
        drawn: list[_Draw] = []
        while len(drawn) < count:
            self.poll()
            if not weights:
                raise DataError(
                    f"the generator found only {len(drawn)} of the {count} problems asked for in "
                    f"split {split!r} (seed {self.seed}): nothing new in {PATIENCE} draws around "
                    "any family, at any depth. Ask for fewer there, or for more in train if the "
                    "split builds on it"
                )
            phrasing: Phrasing = "train"
            if split == "phrasing":
                phrasing = "seen-words" if len(drawn) % 2 == 0 else "unseen-words"
            depth = rng.choices(list(weights), list(weights.values()))[0]
            draw = self._draw_one(depth, phrasing, propose, rng)
            if draw is None:
                del weights[depth]
            else:
                self.queries.add(draw.query)
                drawn.append(draw)
        return drawn

    def _draw_one(
        self, depth: int, phrasing: Phrasing, propose: Propose, rng: random.Random
    ) -> _Draw | None:
        """A problem built around a family chosen evenly, at most ``depth`` deep.

        A family whose chains of that depth are used up, or too long to be written, gets a
        shorter chain, so that every family is asked for about equally often. None when even
        that fails for every family.
        """
        for focus in rng.sample(list(FAMILIES), len(FAMILIES)):
            for attempt in range(PATIENCE * depth):
                task = propose(focus, depth - attempt // PATIENCE, rng)
                if task is None:
                    continue
                query = phrase(task, phrasing, rng)
                if query not in self.queries:
                    return _Draw(task, query, phrasing)
        return None


def is_usable(task: Task) -> bool:
    """Whether the task is short enough to learn and has telling tests."""
    return supported(task, "python") and cases_of(task) is not None


@lru_cache(maxsize=4096)
def _assignments(families: tuple[str, ...]) -> tuple[Task, ...]:
    """The composition with every choice of constants."""
    choices = [FAMILIES[name].constants or (None,) for name in families]
    return tuple(
        Task(tuple(Step(name, k) for name, k in zip(families, constants, strict=True)))
        for constants in product(*choices)
    )
