"""Training rows of the baseline: whole documents packed side by side.

A document is ``query <bos> solution <eos>``: the decoder's own ``<bos>`` ("a program begins")
separates, its ``<eos>`` ends, so the baseline needs no token that Volt X does not have. It reads
the very problems that translator and soft core read, in the same tokenizer.

Documents are never cut and never see each other (model.py), so packing changes nothing but the
padding: each row of ``context`` tokens is filled with the longest document that still fits.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.translator.tokenizer import BOS, EOS, PAD

if TYPE_CHECKING:
    from voltx_core.translator.tokenizer import CodeTokenizer

IGNORE = -100
"""Target of a position that pays no loss; torch's own default."""
Part = Literal["solution", "all"]


@dataclass(frozen=True, slots=True)
class Document:
    """Token ids of one problem; ``ids[prompt:]`` is the solution with its ``<eos>``."""

    ids: list[int]
    prompt: int
    """Tokens of the query with its ``<bos>``."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Packed documents; every tensor is ``[R, context]``."""

    ids: Tensor
    targets: Tensor
    """The token that follows, or ``IGNORE``."""
    documents: Tensor
    """Which document of the row a token belongs to, from 0; padding has a number of its own."""
    positions: Tensor
    """Place of the token inside its document."""
    packed: int
    """Documents inside."""
    dropped: int
    """Documents longer than the context, left out."""

    def __len__(self) -> int:
        return self.ids.shape[0]

    @property
    def tokens(self) -> int:
        """Tokens of documents, padding not counted."""
        return int((self.ids != PAD).sum())

    @property
    def padding_share(self) -> float:
        return 1 - self.tokens / self.ids.numel()


def prompt_of(query: str, tokenizer: "CodeTokenizer", max_tokens: int) -> list[int]:
    """What the model reads before it writes: the query (its first tokens, if long), ``<bos>``."""
    return prompts_of([query], tokenizer, max_tokens)[0]


def prompts_of(
    queries: Sequence[str], tokenizer: "CodeTokenizer", max_tokens: int
) -> list[list[int]]:
    """``prompt_of`` for many queries; ``max_tokens`` counts the ``<bos>``."""
    return [[*ids, BOS] for ids in _tokens(queries, tokenizer, max_tokens - 1)]


def documents_of(
    problems: Sequence[Problem], tokenizer: "CodeTokenizer", max_tokens: int
) -> list[Document]:
    """Each problem as one document; one of more than ``max_tokens`` shows by its length."""
    queries = _tokens([p.query for p in problems], tokenizer, max_tokens)
    solutions = _tokens([p.solution for p in problems], tokenizer, max_tokens)
    return [
        Document([*query, BOS, *solution, EOS], len(query) + 1)
        for query, solution in zip(queries, solutions, strict=True)
    ]


def pack(documents: Sequence[Document], context: int, *, loss_on: Part = "solution") -> Rows:
    """Best-fit decreasing: longest document first, into the fullest row that has room.

    Args:
        documents: What to pack; the result depends on their order only among equal lengths.
        context: Tokens of a row. Longer documents are dropped and counted.
        loss_on: ``solution`` scores the program and its end, the only thing the exam asks for;
            ``all`` scores the query as well, the habit of plain pre-training.

    Raises:
        DataError: Not one document fits.
    """
    fitting = sorted((d for d in documents if len(d.ids) <= context), key=lambda d: -len(d.ids))
    if not fitting:
        raise DataError(
            f"None of {len(documents)} training documents fits a context of {context} tokens. "
            "Raise baseline.context or give shorter problems."
        )
    rows: list[list[Document]] = []
    room: list[tuple[int, int]] = []  # (free tokens, row), ascending
    for document in fitting:
        place = bisect_right(room, (len(document.ids), -1))
        if place < len(room):
            free, row = room.pop(place)
        else:
            free, row = context, len(rows)
            rows.append([])
        rows[row].append(document)
        insort(room, (free - len(document.ids), row))
    shape = (len(rows), context)
    ids, targets = torch.full(shape, PAD), torch.full(shape, IGNORE)
    numbers, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    for r, row in enumerate(rows):
        at = 0
        for number, document in enumerate(row):
            end = at + len(document.ids)
            tokens = torch.tensor(document.ids)
            ids[r, at:end] = tokens
            numbers[r, at:end] = number
            positions[r, at:end] = torch.arange(len(tokens))
            first = document.prompt - 1 if loss_on == "solution" else 0
            targets[r, at + first : end - 1] = tokens[first + 1 :]
            at = end
        numbers[r, at:] = len(row)
        positions[r, at:] = torch.arange(context - at)
    return Rows(ids, targets, numbers, positions, len(fitting), len(documents) - len(fitting))


def _tokens(
    texts: Sequence[str], tokenizer: "CodeTokenizer", max_tokens: int
) -> Iterator[list[int]]:
    ids, mask = tokenizer.encode(texts, max_tokens)
    for row, length in zip(ids.tolist(), mask.sum(1).tolist(), strict=True):
        yield row[:length]
