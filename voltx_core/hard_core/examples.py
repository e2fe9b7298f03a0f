"""What an entry of the codebook stands for: the pieces of code whose slots lie nearest to it."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from voltx_core.frame import ROLES
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.slots import SlotVectors
from voltx_core.translator.translator import Translator

CANDIDATES = 60
"""Nearest vectors looked at for each entry: many are of the same text or say the same."""
SNIPPET_CHARACTERS = 72


@dataclass(frozen=True, slots=True)
class Example:
    """A piece of code near an entry.

    Attributes:
        entry: Number of the entry.
        uses: Vectors it is nearest to, of those that were searched.
        slot: Name of the slot that lies near it.
        cosine: How near.
        snippet: The line of code that says most in that slot.
    """

    entry: int
    uses: int
    slot: str
    cosine: float
    snippet: str


def choose_entries(uses: Tensor, count: int) -> list[int]:
    """Entries from the most to the least used ones, evenly spread by rank.

    Args:
        uses: ``[K]`` vectors of each entry; those without are passed over.
        count: How many; fewer when fewer are in use.
    """
    ranked = uses.sort(descending=True, stable=True).indices
    ranked = ranked[: int((uses > 0).sum())]
    count = min(count, len(ranked))
    places = torch.linspace(0, len(ranked) - 1, count).round().long() if count else []
    return [int(ranked[place]) for place in places]


def examples(
    translator: Translator,
    codebook: Codebook,
    found: SlotVectors,
    texts: Iterable[str],
    *,
    entries: int = 6,
    each: int = 5,
) -> list[Example]:
    """Snippets near some entries, nearest first; a snippet is shown once an entry.

    Args:
        translator: Made the vectors.
        codebook: The entries.
        found: Slot vectors of ``texts``; ``owners`` counts these.
        texts: All texts, in order; read once.
        entries: How many entries are shown.
        each: Snippets an entry, at most.
    """
    nearest, cosine = codebook.nearest(found.vectors)
    nearest, cosine = nearest.cpu(), cosine.cpu()
    uses = torch.bincount(nearest, minlength=len(codebook))
    close: dict[int, list[int]] = {}
    for entry in choose_entries(uses, entries):
        members = (nearest == entry).nonzero().squeeze(1)
        ranked = members[cosine[members].sort(descending=True, stable=True).indices]
        close[entry] = ranked[:CANDIDATES].tolist()
    wanted = {int(found.owners[row]) for rows in close.values() for row in rows}
    chosen = {n: text for n, text in enumerate(texts) if n in wanted}
    shown: list[Example] = []
    for entry, rows in close.items():
        seen: set[str] = set()
        for row in rows:
            slot, snippet = _said(translator, chosen[int(found.owners[row])], found.vectors[row])
            if snippet not in seen and len(seen) < each:
                seen.add(snippet)
                near = round(float(cosine[row]), 3)
                shown.append(Example(entry, int(uses[entry]), ROLES[slot], near, snippet))
    return shown


@torch.no_grad()
def _said(translator: Translator, text: str, vector: Tensor) -> tuple[int, str]:
    """Which slot of a text a vector is, and the line whose tokens weigh most in that slot."""
    ids, mask = translator.tokenizer.encode([text], translator.encoder.max_tokens)
    encoded = translator.encoder(ids.to(translator.device), mask.to(translator.device))
    slots = encoded.frame.slots[0].cpu()
    slot = int((slots @ vector.cpu()).argmax())
    weights = encoded.role_logits[0].float().softmax(-1)[:, slot].tolist()
    lines = text.split("\n")
    said = [0.0] * len(lines)
    spans = translator.tokenizer.offsets(text, translator.encoder.max_tokens)
    for (begin, end), weight in zip(spans, weights, strict=True):
        said[text.count("\n", 0, max(begin, end - 1))] += weight  # a token may begin with it
    line = lines[max(range(len(lines)), key=lambda n: (said[n], -n))].strip()
    if len(line) > SNIPPET_CHARACTERS:
        line = f"{line[: SNIPPET_CHARACTERS - 1]}…"
    return slot, line
