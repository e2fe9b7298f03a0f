"""The gate that keeps exams exams: training problems that share n-grams with an exam are dropped.

Queries and solutions are compared separately, each training problem against each exam problem:

- A query is its lower-case words and numbers. Signatures and doctests count, layout does not.
- A solution is its names, numbers and operators, docstrings and comments cut out: words are the
  query's business, and brackets are nobody's.

With ``n = (8, 13)`` two texts overlap when they share

- one run of 13 tokens (the largest n), or
- enough runs of 8 (each smaller n) to cover `COVERAGE` of the runs of either text, or
- all their tokens in order. Solutions of fewer than 8 tokens (``return a + b``) are exempt: they
  are the task's only answer and say nothing about their origin.

A run that occurs in more than `IDIOM_SHARE` of an exam's problems (and in more than `IDIOM_LEAST`
of them) is the exam's idiom, such as MBPP's "write a function to find the" or a loop header, and
counts for nothing. Only the exam decides what an idiom is: a leak repeated a thousand times in
training stays a leak.

In solutions a run counts only if at least a quarter of its tokens are *telling*: longer than one
character, no number or operator, and used by at most `COMMON_TOKEN_SHARE` of the exam's solutions.
``for i in range n for j in range i + 1 n`` is how everybody writes that.

Whatever generated problems share among themselves never matters; they are dropped only when they
match an exam problem in this sense.

Source: the 13-gram rule of Brown et al. 2020, "Language Models are Few-Shot Learners", appendix C,
with the shorter n guarded by coverage, because these texts are short and formulaic.
"""

import ast
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from voltx_core.data.ngrams import code_tokens_of, gram_hashes, words_of
from voltx_core.data.problem import Problem
from voltx_core.data.python_source import parse_python

log = logging.getLogger(__name__)

COVERAGE = 0.5
IDIOM_SHARE = 0.02
COMMON_TOKEN_SHARE = 0.05
IDIOM_LEAST = 3
TELLING_PART = 4
EXAMPLES_KEPT = 20

Channel = Literal["query", "solution"]
CHANNELS: tuple[Channel, ...] = ("query", "solution")

DOCSTRING_OWNERS = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """One training problem meeting one exam problem, and the words they share."""

    train_id: str
    exam_id: str
    rule: str
    """Channel and length of run: ``query/13``, ``solution/8``, ``query/whole``."""
    shared: str


@dataclass(slots=True)
class ExamOverlap:
    """What of one exam occurs in the training problems."""

    problems: int
    """Size of the exam."""
    train_ids: set[str] = field(default_factory=set)
    exam_ids: set[str] = field(default_factory=set)
    by_rule: Counter[str] = field(default_factory=Counter)
    """Overlapping pairs by rule (see `Overlap`)."""
    examples: list[Overlap] = field(default_factory=list)

    @property
    def hits(self) -> int:
        """Training problems that overlap this exam."""
        return len(self.train_ids)


@dataclass(slots=True)
class OverlapReport:
    """Per exam, what was found; ``checked`` training problems were looked at."""

    exams: dict[str, ExamOverlap]
    checked: int = 0

    @property
    def train_ids(self) -> set[str]:
        """Training problems that overlap any exam."""
        return set().union(*(exam.train_ids for exam in self.exams.values()))


def find_overlap(
    train: Iterable[Problem],
    exams: Mapping[str, Sequence[Problem]],
    n: Sequence[int] = (8, 13),
    poll: Callable[[], None] = lambda: None,
) -> OverlapReport:
    """Compare a stream of training problems with every exam.

    Memory grows with the exams (about 12 bytes a run and token), not with the training problems.

    Args:
        train: may be a stream; each is looked at once.
        exams: name of the exam to its problems.
        n: lengths of runs. One shared run of the largest decides; the others need coverage.
        poll: called for each training problem; what it raises ends the search.

    Raises:
        ValueError: no length, or one below 2.
    """
    lengths = sorted(set(n))
    if not lengths or lengths[0] < 2:
        raise ValueError(f"n-gram lengths must be at least 2, got {tuple(n)}")
    report = OverlapReport({name: ExamOverlap(len(items)) for name, items in exams.items()})
    indexes = [
        _ExamIndex(problems, channel, lengths, report.exams[name])
        for name, problems in exams.items()
        for channel in CHANNELS
    ]
    for problem in train:
        poll()
        report.checked += 1
        tokens = {channel: _tokens(problem, channel) for channel in CHANNELS}
        for index in indexes:
            index.compare(problem.id, tokens[index.channel])
    for name, exam in report.exams.items():
        if exam.hits:
            log.info(
                "%d of %d training problems overlap %d of the %d problems of %s",
                exam.hits, report.checked, len(exam.exam_ids), exam.problems, name,
            )  # fmt: skip
    return report


def remove_overlap(train: Iterable[Problem], report: OverlapReport) -> list[Problem]:
    """The training problems that overlap no exam; how many were dropped is logged.

    Augmented copies are caught too when ``report`` was made with them in ``train``.
    """
    dropped_ids, kept, dropped = report.train_ids, [], 0
    for problem in train:
        if problem.id in dropped_ids:
            dropped += 1
        else:
            kept.append(problem)
    if dropped:
        log.warning("dropped %d training problems that overlap an exam", dropped)
    return kept


class _ExamIndex:
    """One channel of one exam: which run of tokens occurs in which of its problems."""

    def __init__(
        self,
        problems: Sequence[Problem],
        channel: Channel,
        lengths: list[int],
        found: ExamOverlap,
    ) -> None:
        self.channel = channel
        self.lengths = lengths
        self.found = found
        self.ids = [problem.id for problem in problems]
        texts = [_tokens(problem, channel) for problem in problems]
        least = 1 if channel == "query" else lengths[0]
        self.whole: dict[tuple[str, ...], int] = {}
        for place, tokens in enumerate(texts):
            if len(tokens) >= least:
                self.whole.setdefault(tuple(tokens), place)
        telling = _telling(texts) if channel == "solution" else None
        self.tables = {n: _RunTable(texts, n, telling) for n in lengths}

    def compare(self, train_id: str, tokens: list[str]) -> None:
        matched: set[int] = set()
        if (place := self.whole.get(tuple(tokens))) is not None:
            matched.add(place)
            self._record(train_id, place, "whole", tokens)
        for n in reversed(self.lengths):
            table = self.tables[n]
            runs = gram_hashes(tokens, n)
            for place, shared in table.shared_with(runs).items():
                if place in matched:
                    continue
                if n < self.lengths[-1]:
                    own = table.count_distinctive(runs)
                    if len(shared) < COVERAGE * min(own, table.sizes[place]):
                        continue
                matched.add(place)
                start = int(np.flatnonzero(np.isin(runs, shared))[0])
                self._record(train_id, place, str(n), tokens[start : start + n])

    def _record(self, train_id: str, place: int, rule: str, shared: list[str]) -> None:
        found, exam_id = self.found, self.ids[place]
        found.train_ids.add(train_id)
        found.exam_ids.add(exam_id)
        found.by_rule[f"{self.channel}/{rule}"] += 1
        if len(found.examples) < EXAMPLES_KEPT:
            found.examples.append(
                Overlap(
                    train_id=train_id,
                    exam_id=exam_id,
                    rule=f"{self.channel}/{rule}",
                    shared=" ".join(shared),
                )
            )


class _RunTable:
    """The distinctive runs of ``n`` tokens of an exam's texts, sorted for binary search."""

    def __init__(self, texts: list[list[str]], n: int, telling: list[np.ndarray] | None) -> None:
        all_runs = [gram_hashes(tokens, n) for tokens in texts]
        if telling is not None:
            all_runs = [
                runs[_window_sums(mask, n) * TELLING_PART >= n]
                for runs, mask in zip(all_runs, telling, strict=True)
            ]
        per_text = [np.unique(runs) for runs in all_runs]
        runs = np.concatenate(per_text) if per_text else np.empty(0, np.uint64)
        places = np.repeat(np.arange(len(texts), dtype=np.int32), [len(run) for run in per_text])
        distinct, inverse, counts = np.unique(runs, return_inverse=True, return_counts=True)
        idiom = counts > max(IDIOM_LEAST, IDIOM_SHARE * len(texts))
        self.idioms = distinct[idiom]
        keep = ~idiom[inverse] if len(runs) else np.empty(0, bool)
        order = np.argsort(runs[keep], kind="stable")
        self.runs, self.places = runs[keep][order], places[keep][order]
        self.sizes = np.bincount(self.places, minlength=len(texts))

    def shared_with(self, runs: np.ndarray) -> dict[int, np.ndarray]:
        """Place of an exam text -> the distinct runs it shares with ``runs``."""
        distinct = np.unique(runs)
        first = np.searchsorted(self.runs, distinct, side="left")
        last = np.searchsorted(self.runs, distinct, side="right")
        shared: dict[int, list[np.uint64]] = {}
        for run, start, end in zip(distinct, first, last, strict=True):
            for place in self.places[start:end]:
                shared.setdefault(int(place), []).append(run)
        return {place: np.array(found, np.uint64) for place, found in sorted(shared.items())}

    def count_distinctive(self, runs: np.ndarray) -> int:
        """How many distinct runs of a training text are no idioms of the exam."""
        return int(np.setdiff1d(runs, self.idioms).size)


def _telling(texts: list[list[str]]) -> list[np.ndarray]:
    """For each token of each text whether it tells something, as bool ``[tokens]``."""
    used_by = Counter(token for tokens in texts for token in set(tokens))
    most = max(IDIOM_LEAST, COMMON_TOKEN_SHARE * len(texts))
    tells = {
        token: len(token) > 1 and token.isidentifier() and count <= most
        for token, count in used_by.items()
    }
    return [np.array([tells[token] for token in tokens], dtype=bool) for tokens in texts]


def _window_sums(mask: np.ndarray, n: int) -> np.ndarray:
    """How many of each ``n`` neighbours are set, ``[max(0, len(mask) - n + 1)]``."""
    if len(mask) < n:
        return np.empty(0, dtype=np.int64)
    sums = np.concatenate([[0], np.cumsum(mask)]).astype(np.int64)
    return np.subtract(sums[n:], sums[:-n])


def _tokens(problem: Problem, channel: Channel) -> list[str]:
    if channel == "query":
        return words_of(problem.query)
    if problem.language == "python":
        return code_tokens_of(_bare_python(problem.solution))
    return code_tokens_of(COMMENTS.sub(" ", problem.solution))


def _bare_python(code: str) -> str:
    """Python without docstrings and comments; unchanged when it is not valid."""
    tree = parse_python(code)
    if tree is None:
        return code
    for node in _docstring_owners(tree):
        del node.body[0]
        if not node.body and not isinstance(node, ast.Module):
            node.body.append(ast.Pass())
    return ast.unparse(tree)


def _docstring_owners(tree: ast.Module) -> Iterator[DOCSTRING_OWNERS]:
    for node in ast.walk(tree):
        if isinstance(node, DOCSTRING_OWNERS) and ast.get_docstring(node, clean=False) is not None:
            yield node
