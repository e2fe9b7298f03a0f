"""Text to tokens and back: a byte-level BPE of one's own, or that of a public checkpoint."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from voltx_core.errors import DataError

EOT = "<eot>"
"""Stands before every document; what is written ends with it."""
BROKEN = "\ufffd"


class TextTokenizer:
    """A tokenizer and the tokens that end a text.

    Args:
        tokenizer: Of the library ``tokenizers``.
        ends: Ids that end a text; of one's own tokenizers that is ``<eot>`` alone.
        begin: Id that stands before a text; None where nothing does.
    """

    def __init__(self, tokenizer: Tokenizer, ends: Sequence[int], begin: int | None) -> None:
        self._tokenizer = tokenizer
        self.ends, self.begin = tuple(ends), begin

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> "TextTokenizer":
        """Learn the merges of a byte-level BPE; ``<eot>`` is id 0."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[EOT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls._own(tokenizer, "the tokenizer")

    @classmethod
    def of_text(cls, text: str, where: str = "the tokenizer") -> "TextTokenizer":
        """What ``text()`` wrote down.

        Raises:
            DataError: It is no tokenizer, or has no ``<eot>``.
        """
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises bare Exception
            raise DataError(f"{where} is not a tokenizer ({error}). Make it anew.") from error
        return cls._own(tokenizer, where)

    @classmethod
    def load(cls, path: Path) -> "TextTokenizer":
        """A ``tokenizer.json`` of one's own.

        Raises:
            DataError: It is missing, no tokenizer, or has no ``<eot>``.
        """
        try:
            return cls.of_text(path.read_text(), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read ({error}). Make it anew.") from error

    @classmethod
    def _own(cls, tokenizer: Tokenizer, where: str) -> "TextTokenizer":
        eot = tokenizer.token_to_id(EOT)
        if eot is None:
            raise DataError(f"{where} has no {EOT}: it is not one of vinciGPT's own.")
        tokenizer.encode_special_tokens = True  # a text that spells <eot> is text
        return cls(tokenizer, (eot,), eot)

    def text(self) -> str:
        """All of it as JSON."""
        return str(self._tokenizer.to_str())

    @property
    def entries(self) -> int:
        """Tokens that exist."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, on all cores; nothing is added in front or behind."""
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def prompt(self, text: str) -> list[int]:
        """What a model reads before it continues ``text``."""
        ids = self.encode([text])[0]
        return ids if self.begin is None else [self.begin, *ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids; specials are left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


class TextStream:
    """Text as tokens come in, each character as soon as all its bytes are there."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._shown = ""

    def add(self, token: int) -> str:
        """What the token adds; empty inside a character."""
        self._ids.append(token)
        whole = self._tokenizer.decode(self._ids)
        if whole.endswith(BROKEN):
            return ""
        new = whole[len(self._shown) :]
        self._shown = whole
        return new
