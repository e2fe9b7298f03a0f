"""The lexicon: what a word means by itself, in whatever spelling, in text and in code alike.

To a byte-level tokenizer ``read``, `` read``, ``Read`` and ``READ`` are four unrelated tokens, so a
docstring and its function share hardly any until training has found out which ones are the same.
Here all spellings of a word share one vector, which goes into the slots beside what the
convolutions make of the token in its place. Frequent words start short: in a sum of slots they
would drown the words that tell functions apart.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from voltx_core.translator.tokenizer import PAD, CodeTokenizer

SPREAD = 2.0
"""Standard deviation of an untrained vector's numbers: training then refines what the words say
rather than overwriting it (a tenth of this was learned away in a few hundred steps)."""
BESIDE = 0.1
"""What the head beside an untrained lexicon is scaled by: words begin as the louder part."""
TEXTS_AT_ONCE = 2_000
TOKENS_OF_A_TEXT = 256
"""What of a text is looked at to find out how rare its words are."""


class Lexicon(nn.Module):
    """One vector a word.

    Args:
        vocabulary: Rows of the token table.
        width: Width of a slot.
    """

    spelling: Tensor

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.words.weight, std=SPREAD)
        self.register_buffer("spelling", torch.arange(vocabulary))

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids ``[B, L]`` to vectors ``[B, L, W]``."""
        return self.words(self.spelling[ids])

    @torch.no_grad()
    def learn(self, tokenizer: CodeTokenizer, texts: Iterable[str]) -> None:
        """Find the spellings of each word, and scale the untrained vectors by its rarity."""
        known = spellings(tokenizer.pieces())
        self.spelling[: len(known)] = known
        scale = rarity(tokenizer, texts, self.spelling.cpu())
        self.words.weight *= scale.unsqueeze(1).to(self.words.weight.device)


def spellings(pieces: Sequence[str]) -> Tensor:
    """For each token the id of the first one that spells the same word, ``[V]``.

    Case and the space in front do not matter. What is not a word stands for itself.

    Args:
        pieces: Text of each token, by id.
    """
    first: dict[str, int] = {}
    ids = list(range(len(pieces)))
    for n, piece in enumerate(pieces):
        word = piece.strip(" ").lower()
        if word.isalpha():
            ids[n] = first.setdefault(word, n)
    return torch.tensor(ids)


def rarity(tokenizer: CodeTokenizer, texts: Iterable[str], spelling: Tensor) -> Tensor:
    """How telling each word is, ``[V]``: log(texts / texts that have it), 1 on average, at most 2.

    Without texts all words are alike.

    Source: inverse document frequency (Spärck Jones 1972).
    """
    having, count = torch.zeros(len(spelling)), 0
    chunk: list[str] = []

    def add() -> None:
        nonlocal count
        ids, _ = tokenizer.encode(chunk, TOKENS_OF_A_TEXT)
        words = spelling[ids].sort(1).values
        fresh = torch.ones_like(words, dtype=torch.bool)
        fresh[:, 1:] = words[:, 1:] != words[:, :-1]
        having.add_(torch.bincount(words[fresh & (words != PAD)], minlength=len(having)))
        count += len(chunk)
        chunk.clear()

    for text in texts:
        chunk.append(text)
        if len(chunk) == TEXTS_AT_ONCE:
            add()
    if chunk:
        add()
    if not count:
        return torch.ones(len(having))
    telling = torch.log((count + 1) / (having + 1))
    return (telling / telling.mean().clamp(min=1e-6)).clamp(max=2.0)
