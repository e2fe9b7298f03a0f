"""Programs from counting alone: a 3-gram model of the same documents.

It reads two tokens back and nothing else, so it writes programs without knowing what was asked
for: what it solves needs no understanding at all.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from voltx_core.baseline.data import documents_of, prompts_of
from voltx_core.data.problem import Problem
from voltx_core.translator.tokenizer import EOS
from voltx_core.vincigpt.ngram import Trigram

if TYPE_CHECKING:
    from voltx_core.translator.tokenizer import CodeTokenizer

_REMEMBERED = 512
"""Pairs of tokens whose followers are kept: half a megabyte each at a vocabulary of 32,768."""
_Choice = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Tokens that may follow, and their probabilities added up."""


class NgramWriter:
    """A 3-gram model of ``query <bos> solution <eos>``, document after document.

    Args:
        problems: What it counts.
        tokenizer: Shared with the systems it stands beside.
        limit: Tokens of a document, and of a program, at most.
    """

    def __init__(
        self, problems: Sequence[Problem], tokenizer: "CodeTokenizer", *, limit: int
    ) -> None:
        self._tokenizer, self._limit = tokenizer, limit
        stream, _ = self._stream(problems)
        self._counted = Trigram(stream, EOS, tokenizer.vocabulary)
        self._choice = lru_cache(maxsize=_REMEMBERED)(self._chosen)

    def held_out_loss(self, problems: Sequence[Problem]) -> float:
        """Mean cross-entropy of solutions and their ends, in nats a token."""
        stream, scored = self._stream(problems)
        return float(self._counted.surprisal(stream)[scored[1:]].mean())

    def write(
        self,
        queries: Sequence[str],
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """One program a query, begun behind it; the likeliest token each time at temperature 0."""
        prompts = prompts_of(queries, self._tokenizer, self._limit // 2)
        return [
            self._tokenizer.decode(self._continued(prompt, temperature, top_p, generator))
            for prompt in prompts
        ]

    def _stream(self, problems: Sequence[Problem]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """All documents that fit in a row, and which of the tokens belong to solutions."""
        ids, scored = [EOS], [False]
        for document in documents_of(problems, self._tokenizer, self._limit + 1):
            if len(document.ids) <= self._limit:
                ids += document.ids
                scored += [place >= document.prompt for place in range(len(document.ids))]
        return np.array(ids), np.array(scored)

    def _continued(
        self,
        prompt: Sequence[int],
        temperature: float,
        top_p: float,
        generator: torch.Generator | None,
    ) -> list[int]:
        first, second = (EOS, *prompt)[-2:]
        written: list[int] = []
        while len(written) < self._limit and second != EOS:
            tokens, reached = self._choice(first, second, temperature, top_p)
            drawn = 0.0
            if temperature:
                drawn = float(torch.rand((), generator=generator, dtype=torch.float64))
            place = int(np.searchsorted(reached, drawn * reached[-1], side="right"))
            first, second = second, int(tokens[min(place, len(tokens) - 1)])
            written.append(second)
        return written

    def _chosen(self, first: int, second: int, temperature: float, top_p: float) -> _Choice:
        """Most probable first; at temperature 0 there is no other."""
        p = self._counted.following(first, second)
        tokens = np.argsort(-p, kind="stable")
        if not temperature:
            return tokens[:1].copy(), np.ones(1)
        weights = p[tokens] ** (1 / temperature)
        reached = np.cumsum(weights / weights.sum())
        kept = int(np.searchsorted(reached, top_p)) + 1
        return tokens[:kept].copy(), reached[:kept].copy()  # views would keep whole vocabularies
