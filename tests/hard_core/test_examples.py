"""Entries of a codebook are shown by the code that lies nearest to them."""

import torch

from voltx_core.config import resolve
from voltx_core.frame import ROLES
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.examples import choose_entries, examples
from voltx_core.hard_core.slots import slot_vectors
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator

TEXTS = [
    f"def {verb}_{noun}(value):\n    for each in value:\n        print({n})\n    return value\n"
    for n, (verb, noun) in enumerate(
        (verb, noun) for verb in ("read", "write", "close") for noun in ("file", "socket", "row")
    )
]


def test_entries_are_chosen_from_the_most_to_the_least_used() -> None:
    uses = torch.tensor([0, 9, 3, 1, 0, 5])
    assert choose_entries(uses, 4) == [1, 5, 2, 3]
    assert choose_entries(uses, 2) == [1, 3]
    assert choose_entries(uses, 10) == [1, 5, 2, 3]
    assert choose_entries(torch.zeros(3), 2) == []


def test_snippets_are_lines_of_the_texts_nearest_first_and_none_twice() -> None:
    tokenizer = CodeTokenizer.train(TEXTS * 4, 400)
    torch.manual_seed(0)
    translator = Translator.create(tokenizer, resolve("tiny", environ={}).translator)
    found = slot_vectors(translator, TEXTS)
    draw = torch.Generator().manual_seed(0)
    book = Codebook(found.vectors[torch.randperm(len(found.vectors), generator=draw)[:5]])
    shown = examples(translator, book, found, TEXTS, entries=3, each=2)
    entries = list(dict.fromkeys(example.entry for example in shown))
    assert len(entries) == 3
    lines = {line.strip() for text in TEXTS for line in text.splitlines()}
    nearest, cosine = book.nearest(found.vectors)
    for entry in entries:
        own = [example for example in shown if example.entry == entry]
        assert 1 <= len(own) <= 2
        assert len({example.snippet for example in own}) == len(own)
        assert all(example.snippet in lines and example.slot in ROLES for example in own)
        assert own[0].uses == int((nearest == entry).sum())
        # an entry is itself one of the vectors here
        assert own[0].cosine == round(float(cosine[nearest == entry].max()), 3) == 1.0
        assert own == sorted(own, key=lambda example: -example.cosine)
