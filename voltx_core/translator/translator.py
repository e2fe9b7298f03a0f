"""The trained translator: text to frame, frame to text."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from voltx_core.config.translator import TranslatorConfig
from voltx_core.errors import DataError
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.translator.decoder import SlotDecoder, sample
from voltx_core.translator.encoder import CodeEncoder, QueryFeatures
from voltx_core.translator.tokenizer import BOS, EOS, PAD, CodeTokenizer
from voltx_core.weights import load_into, load_weights, save_weights


@dataclass(frozen=True, slots=True)
class Written:
    """One program the decoder wrote."""

    text: str
    ids: list[int]
    """Tokens with ``<eos>`` (when it was reached), without ``<bos>``."""
    log_probability: float
    """Sum over the tokens, at temperature 1."""
    mean_log_probability: float


class Translator:
    """Tokenizer, encoder and decoder that belong together."""

    def __init__(
        self,
        tokenizer: CodeTokenizer,
        encoder: CodeEncoder,
        decoder: SlotDecoder,
        *,
        device: str = "cpu",
    ) -> None:
        self.tokenizer, self.device = tokenizer, device
        self.encoder, self.decoder = encoder.to(device), decoder.to(device)

    @classmethod
    def create(
        cls,
        tokenizer: CodeTokenizer,
        config: TranslatorConfig,
        *,
        texts: Iterable[str] = (),
        slots: int = SLOTS,
        device: str = "cpu",
    ) -> "Translator":
        """An untrained translator, drawn within ``seeded``.

        A lexicon learns from ``texts`` how telling each word is.
        """
        encoder = CodeEncoder(config, tokenizer.vocabulary, slots=slots)
        if encoder.lexicon is not None:
            encoder.lexicon.learn(tokenizer, texts)
        return cls(
            tokenizer,
            encoder,
            SlotDecoder(
                vocabulary=tokenizer.vocabulary,
                slot_width=config.slot_width,
                width=config.decoder_width,
                blocks=config.decoder_blocks,
                heads=config.decoder_heads,
                max_tokens=config.decoder_tokens,
                query_features=config.query_features,
                slots=slots,
            ),
            device=device,
        )

    @classmethod
    def load(
        cls, tokenizer: Path, encoder: Path, decoder: Path, *, device: str = "cpu"
    ) -> "Translator":
        """Read a trained translator, frozen and in evaluation mode.

        Raises:
            DataError: A file is damaged, or the three do not belong together.
        """
        tokens = CodeTokenizer.load(tokenizer)
        weights, facts = load_weights(encoder, "encoder")
        try:
            config = TranslatorConfig(**facts["config"])
        except ValidationError as error:
            raise DataError(
                f"{encoder} was made by another version of voltx, whose settings no longer fit "
                f"({error.error_count()} of them). Train it anew: voltx run --force translator."
            ) from error
        model = CodeEncoder(config, facts["vocabulary"])
        load_into(model, weights, encoder)
        self = cls(tokens, model, load_decoder(decoder), device=device)
        for module in (self.encoder, self.decoder):
            module.eval().requires_grad_(False)
        return self

    def save(self, tokenizer: Path, encoder: Path, decoder: Path, config: TranslatorConfig) -> None:
        """Write the three files."""
        self.tokenizer.save(tokenizer)
        facts = {
            "kind": "encoder",
            "vocabulary": self.tokenizer.vocabulary,
            "config": config.model_dump(mode="json"),
        }
        save_weights(encoder, self.encoder.state_dict(), facts)
        save_decoder(self.decoder, decoder)

    @property
    def width(self) -> int:
        return self.encoder.embed_head.out_features

    @torch.no_grad()
    def encode(
        self,
        texts: Sequence[str],
        *,
        batch: int = 256,
        poll: Callable[[], None] = lambda: None,
    ) -> TensorFrame:
        """Frames of texts, without gradient. Texts of similar length share a batch.

        ``poll`` is called before each batch and may raise to end the work.
        """
        if not texts:
            raise ValueError("encode needs at least one text")
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        frames: list[TensorFrame] = []
        for start in range(0, len(order), batch):
            poll()
            chosen = [texts[n] for n in order[start : start + batch]]
            ids, mask = self.tokenizer.encode(chosen, self.encoder.max_tokens)
            frames.append(self.encoder(ids.to(self.device), mask.to(self.device)).frame)
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return TensorFrame.cat(frames)[back.to(self.device)]

    def asked(self, texts: Sequence[str]) -> QueryFeatures | None:
        """What the decoder reads of queries beside their frame; None if it reads nothing."""
        if not self.decoder.query_features:
            return None
        return self.asked_ids(self.tokenizer.encode(texts, self.encoder.max_tokens)[0])

    @torch.no_grad()
    def asked_ids(self, ids: Tensor) -> QueryFeatures | None:
        """The same of queries that are token ids already, ``[B, L]`` padded with 0."""
        if not self.decoder.query_features:
            return None
        ids = ids.to(self.device)
        mask = ids != PAD
        length = max(1, int(mask.sum(1).max()))
        ids, mask = ids[:, :length], mask[:, :length]
        return QueryFeatures(self.encoder(ids, mask).tokens, mask)

    @torch.no_grad()
    def roles(self, texts: Sequence[str], *, among: int = SLOTS) -> Tensor:
        """Slot that each token of a text goes to most, among the first few, ``[B, L]``."""
        ids, mask = self.tokenizer.encode(texts, self.encoder.max_tokens)
        logits = self.encoder(ids.to(self.device), mask.to(self.device)).role_logits
        return logits[..., :among].argmax(-1).cpu()

    def paint(self, code: str) -> list[int]:
        """Slot that each character's token goes to most; -1 behind what the encoder reads."""
        if not code:
            return []
        slots = [-1] * len(code)
        spans = self.tokenizer.offsets(code, self.encoder.max_tokens)
        for (begin, end), slot in zip(spans, self.roles([code])[0].tolist(), strict=True):
            slots[begin:end] = [slot] * (end - begin)
        return slots

    def write(
        self,
        frame: TensorFrame,
        *,
        asked: QueryFeatures | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> list[Written]:
        """Write one program a frame; greedy at temperature 0."""
        ids, scores = sample(
            self.decoder,
            frame,
            asked,
            bos=BOS,
            eos=EOS,
            temperature=temperature,
            top_p=top_p,
            generator=generator,
        )
        return [
            self._written(row, score)
            for row, score in zip(ids.tolist(), scores.tolist(), strict=True)
        ]

    def targets(self, texts: Sequence[str]) -> Tensor:
        """``<bos> ... <eos>`` ids ``[B, L]``, padded with 0, as the decoder is taught them."""
        ids, _ = self.tokenizer.encode(texts, self.decoder.max_tokens, bos_eos=True)
        return ids.to(self.device)

    def log_probabilities(
        self,
        frame: TensorFrame,
        ids: Tensor,
        asked: QueryFeatures | None = None,
        *,
        temperature: float = 1.0,
    ) -> Tensor:
        """Log-probability of each next token, ``[B, L - 1]``, 0 on padding.

        Differentiable in the frame; ``ids`` ``[B, L]`` as ``targets`` gives them; ``temperature``
        is the one that samples were drawn at.
        """
        logits = self.decoder(frame.slots, frame.mask, ids[:, :-1], asked)
        log_p = (
            (logits.float() / temperature).log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)
        )
        return log_p * (ids[:, 1:] != 0)

    def _written(self, ids: list[int], scores: list[float]) -> Written:
        length = ids.index(EOS) + 1 if EOS in ids else len(ids)
        total = sum(scores[:length])
        return Written(self.tokenizer.decode(ids[:length]), ids[:length], total, total / length)


def save_decoder(decoder: SlotDecoder, path: Path) -> None:
    """Write a decoder (Python's or another language's)."""
    save_weights(path, decoder.state_dict(), {"kind": "decoder", "sizes": decoder.sizes})


def load_decoder(path: Path) -> SlotDecoder:
    """Read a decoder.

    Raises:
        DataError: Not a decoder, or damaged.
    """
    weights, facts = load_weights(path, "decoder")
    decoder = SlotDecoder(**facts["sizes"])
    load_into(decoder, weights, path)
    return decoder
