"""The code tokenizer: byte-level BPE with four specials, no prefix space, every digit by itself.

A number is then the same tokens wherever it stands, behind a space or a bracket, so that one in a
query is easily found again in the code.

Source: Sennrich et al. 2016 (BPE), Radford et al. 2019 (byte-level alphabet), Touvron et al. 2023
(single digits).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from voltx_core.errors import DataError

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
PAD, UNK, BOS, EOS = range(4)
CUT = 8_192
"""Characters of a text that are looked at: truncating tokens saves no work, cutting text does."""


class CodeTokenizer:
    """Text to token ids and back."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        # A text that spells a special is text: only ``encode`` itself writes specials.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> "CodeTokenizer":
        """Learn the merges of a byte-level BPE from ``texts``."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator((text[:CUT] for text in texts), trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> "CodeTokenizer":
        """Read a ``code_tokenizer.json``.

        Raises:
            DataError: Not a tokenizer, or its specials are not ids 0 to 3.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise DataError(
                f"{path} is not a tokenizer file: {error}. Make it anew with "
                "voltx run --until translator --force translator."
            ) from error
        if [tokenizer.token_to_id(special) for special in SPECIALS] != [PAD, UNK, BOS, EOS]:
            raise DataError(f"{path}: the specials {SPECIALS} must be the ids 0 to 3.")
        return cls(tokenizer)

    def save(self, path: Path) -> None:
        self._tokenizer.save(str(path))

    @classmethod
    def of_text(cls, text: str) -> "CodeTokenizer":
        """The tokenizer that ``text`` wrote down."""
        return cls(Tokenizer.from_str(text))

    def text(self) -> str:
        """All of it as JSON."""
        return str(self._tokenizer.to_str())

    @property
    def vocabulary(self) -> int:
        """Rows of an embedding table: entries rounded up to a multiple of 128 for the matmul."""
        return -(-self._tokenizer.get_vocab_size() // 128) * 128

    def encode(
        self, texts: Sequence[str], max_tokens: int, *, bos_eos: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Pad a batch of texts.

        Args:
            texts: B texts.
            max_tokens: Longer ones are cut (before ``<eos>``).
            bos_eos: Put ``<bos>`` in front and ``<eos>`` behind.

        Returns:
            ids ``[B, L]`` and mask ``[B, L]``, True on real tokens; L is the longest of the batch.
        """
        room = max_tokens - 2 * bos_eos
        rows = [e.ids[:room] for e in self._encodings(texts)]
        if bos_eos:
            rows = [[BOS, *row, EOS] for row in rows]
        length = max(1, *(len(row) for row in rows)) if rows else 1
        ids = torch.full((len(rows), length), PAD)
        for n, row in enumerate(rows):
            ids[n, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask = torch.arange(length) < torch.tensor([len(row) for row in rows]).unsqueeze(1)
        return ids, mask

    def offsets(self, text: str, max_tokens: int) -> list[tuple[int, int]]:
        """Character span of each token."""
        return list(self._encodings([text])[0].offsets[:max_tokens])

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, specials not counted."""
        return [len(e.ids) for e in self._encodings(texts)]

    def pieces(self) -> list[str]:
        """Text of each token, by id; half a character is a replacement character."""
        return [self._tokenizer.decode([n]) for n in range(self._tokenizer.get_vocab_size())]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids; specials are left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def _encodings(self, texts: Sequence[str]) -> list:  # type: ignore[type-arg]
        return self._tokenizer.encode_batch(
            [text[:CUT] for text in texts], add_special_tokens=False
        )
