"""Words mean the same in every spelling, and rare ones speak up."""

from pathlib import Path

import pytest
import torch

from voltx_core.config import resolve
from voltx_core.translator.lexicon import Lexicon, rarity, spellings
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator

DOCS = [
    "Read the file of the user",
    "Write the archive to the disk",
    "Parse the header of the packet",
    "Close the socket of the server",
]
CODES = [
    "def readFile(user):\n    return open(user).File()",
    "def write_archive(disk):\n    disk.Archive(1)",
    "def parse_header(packet):\n    return packet.Header()",
    "def CloseSocket(server):\n    server.Socket.close()",
]
CONFIG = resolve("tiny", {"translator.lexicon": True}, environ={}).translator


def tokenizer() -> CodeTokenizer:
    return CodeTokenizer.train((DOCS + CODES) * 5, 500)


def test_spellings_of_a_word_share_the_first_one() -> None:
    pieces = ["<pad>", "read", " read", "Read", "(", " READ", "_", "write", " (", "2", ""]
    assert spellings(pieces).tolist() == [0, 1, 1, 1, 4, 1, 6, 7, 8, 9, 10]


def test_a_word_of_every_text_says_nothing_and_a_word_of_one_text_most() -> None:
    words = tokenizer()
    ids = {piece: n for n, piece in enumerate(words.pieces())}
    found = rarity(words, DOCS, spellings(words.pieces()))
    assert float(found[ids[" the"]]) < float(found[ids[" of"]]) < float(found[ids[" user"]])
    assert float(found[ids[" the"]]) == pytest.approx(0, abs=1e-6)
    assert float(found.max()) <= 2


def test_without_texts_all_words_are_alike() -> None:
    words = tokenizer()
    assert (rarity(words, [], spellings(words.pieces())) == 1).all()


def test_a_word_has_one_vector_in_text_and_in_code() -> None:
    words = tokenizer()
    lexicon = Lexicon(words.vocabulary, 8)
    lexicon.learn(words, DOCS)
    ids = {piece: n for n, piece in enumerate(words.pieces())}
    same = lexicon(torch.tensor([ids["archive"], ids[" archive"], ids[" disk"]]))
    assert torch.equal(same[0], same[1])
    assert not torch.equal(same[0], same[2])


def test_untrained_it_already_finds_what_shares_words() -> None:
    words = tokenizer()

    def right(config) -> int:
        torch.manual_seed(0)
        made = Translator.create(words, config, texts=DOCS + CODES)
        likeness = made.encode(DOCS).gist() @ made.encode(CODES).gist().T
        return int((likeness.argmax(1) == torch.arange(len(DOCS))).sum())

    assert right(CONFIG) == len(DOCS)
    assert right(CONFIG.model_copy(update={"lexicon": False})) < len(DOCS)


def test_it_is_saved_with_the_encoder(tmp_path: Path) -> None:
    made = Translator.create(tokenizer(), CONFIG, texts=DOCS)
    paths = [tmp_path / name for name in ("t.json", "e.safetensors", "d.safetensors")]
    made.save(*paths, CONFIG)
    back = Translator.load(*paths)
    assert back.encoder.lexicon is not None
    assert torch.equal(back.encode(DOCS).slots, made.encode(DOCS).slots)
