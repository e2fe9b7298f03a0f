"""Writing real functions back: from the sixteen slots of their frame, and from every token.

The second is the plan's diagnostic. A decoder that sees the features of every token of the very
code it writes needs only to find its place in them; what it reaches bounds what sixteen slots can.
"""

import ast
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from voltx_core.bench.session import BenchSession
from voltx_core.config import VoltxConfig
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.training.loop import Batch, Loss, train
from voltx_core.training.randomness import generator, rows_of_step, seeded
from voltx_core.training.state import Trained
from voltx_core.translator.decoder import Memory, SlotDecoder, attendable
from voltx_core.translator.objective import PairSet, translator_loss, writing_loss
from voltx_core.translator.roles import UNLABELLED, label_tokens
from voltx_core.translator.tokenizer import EOS, PAD, CodeTokenizer
from voltx_core.translator.translator import Translator

LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Upper ends, in tokens, of the classes that functions are sorted into."""
AT_ONCE = 64
SCOPE = "slots"


@dataclass(frozen=True, slots=True)
class Carried:
    """What came back of functions of one class of length.

    Attributes:
        tokens: Longest function of the class.
        functions: How many there are.
        token_accuracy: Share of next tokens that are right when the ones before are given.
        carried: Median share of a function's tokens written before the first wrong one.
        exact: Share written back token by token.
        same_program: Share whose syntax tree is the same; such a function passes what its
            original passes.
    """

    tokens: int
    functions: int
    token_accuracy: float
    carried: float
    exact: float
    same_program: float


def short_enough(tokenizer: CodeTokenizer, codes: Sequence[str], most: int) -> list[str]:
    """Functions of at most ``most`` tokens, ``<bos>`` and ``<eos>`` included."""
    lengths = tokenizer.lengths(codes)
    return [code for code, n in zip(codes, lengths, strict=True) if n + 2 <= most]


@dataclass(slots=True)
class Writing:
    """Encoder and decoder that learn to write functions back through their slots.

    Attributes:
        translator: Both of them.
        pairs: The functions. There is no query: its texts are empty.
        config: Sizes and method.
    """

    translator: Translator
    pairs: PairSet
    config: VoltxConfig

    @classmethod
    def open(
        cls,
        tokenizer: CodeTokenizer,
        codes: Sequence[str],
        config: VoltxConfig,
        *,
        slots: int = SLOTS,
        device: str = "cpu",
    ) -> "Writing":
        """An untrained translator with frames of so many slots, and what it is to learn."""
        settings = config.translator
        with seeded(config.seed, "through the slots"):
            translator = Translator.create(
                tokenizer, settings, texts=codes, slots=slots, device=device
            )
        label = label_tokens if settings.role_weight else _unlabelled
        pairs = PairSet(tokenizer, [""] * len(codes), codes, settings, label=label)
        return cls(translator, pairs, config)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Of a batch of functions."""
        return translator_loss(
            self.translator.encoder,
            self.translator.decoder,
            self.pairs,
            batch.rows,
            self.config.translator,
            batch.generator,
            self.translator.device,
        )

    def flops(self) -> float:
        """Arithmetic of one step, forward and backward, counted on the first batch."""
        settings = self.config.translator
        rows = rows_of_step(self.config.seed, SCOPE, 0, settings.batch, len(self.pairs))
        with FlopCounterMode(display=False) as counter:
            value, _ = self.loss(Batch(0, rows, generator(self.config.seed, "counted")))
            value.backward()
        for module in (self.translator.encoder, self.translator.decoder):
            module.zero_grad()
        return float(counter.get_total_flops())

    def train(self, session: BenchSession, steps: int) -> Trained:
        """Go through so many batches; see ``training.loop.train``."""
        modules = {"encoder": self.translator.encoder, "decoder": self.translator.decoder}
        return _fit(session, SCOPE, modules, self.loss, len(self.pairs), steps)


def train_on_tokens(
    translator: Translator, codes: Sequence[str], session: BenchSession, steps: int
) -> tuple[SlotDecoder, Trained]:
    """A decoder that reads every token's features from the encoder as it is: the diagnostic."""
    settings, device = session.config.translator, translator.device
    with seeded(session.config.seed, "from every token"):
        decoder = SlotDecoder(**translator.decoder.sizes).to(device)
    ids, mask = translator.tokenizer.encode(codes, settings.encoder_tokens)
    targets = translator.targets(codes)

    def loss(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        rows = batch.rows
        logits, wanted = _from_tokens(
            translator, decoder, ids[rows].to(device), mask[rows].to(device), targets[rows]
        )
        return writing_loss(logits, wanted), {}

    return decoder, _fit(session, "tokens", {"decoder": decoder}, loss, len(codes), steps)


@torch.no_grad()
def token_accuracy_from_tokens(
    translator: Translator, decoder: SlotDecoder, codes: Sequence[str]
) -> float:
    """Share of next tokens that the diagnostic decoder gets right, padding not counted."""
    right = total = 0
    for start in range(0, len(codes), AT_ONCE):
        chunk = codes[start : start + AT_ONCE]
        ids, mask = translator.tokenizer.encode(chunk, translator.encoder.max_tokens)
        device = translator.device
        logits, wanted = _from_tokens(
            translator, decoder, ids.to(device), mask.to(device), translator.targets(chunk)
        )
        real = wanted != PAD
        right += int(((logits.argmax(-1) == wanted) & real).sum())
        total += int(real.sum())
    return right / total


@torch.no_grad()
def by_length(
    translator: Translator, codes: Sequence[str], frames: TensorFrame | None = None
) -> list[Carried]:
    """What comes back of functions by their length, shortest class first.

    Args:
        translator: Its decoder writes.
        codes: The functions.
        frames: A frame of each; without it those that the encoder gives them.
    """
    frames = translator.encode(codes) if frames is None else frames
    classes: dict[int, list[int]] = {}
    for place, length in enumerate(translator.tokenizer.lengths(codes)):
        end = next((end for end in LENGTHS if length <= end), length)
        classes.setdefault(end, []).append(place)
    return [
        _carried(translator, end, [codes[n] for n in places], frames[places])
        for end, places in sorted(classes.items())
    ]


def overall(found: Sequence[Carried], what: str) -> float:
    """Mean of one of the shares of the classes, each weighed by its functions."""
    total = sum(each.functions for each in found)
    return sum(getattr(each, what) * each.functions for each in found) / total


def half_carried(found: Sequence[Carried]) -> int:
    """The length up to which at least half of the functions of every class come back the same."""
    longest = 0
    for each in found:
        if each.same_program < 0.5:
            break
        longest = each.tokens
    return longest


def _unlabelled(_: CodeTokenizer, codes: Sequence[str], length: int) -> Tensor:
    """No token has a role."""
    return torch.full((len(codes), length), UNLABELLED)


def _fit(
    session: BenchSession,
    scope: str,
    modules: Mapping[str, nn.Module],
    loss: Loss,
    items: int,
    steps: int,
) -> Trained:
    settings = session.config.translator
    return train(
        session,
        scope=scope,
        modules=modules,
        loss=loss,
        items=items,
        batch=settings.batch,
        steps=steps,
        optimizer=settings.optimizer,
    )


def _carried(
    translator: Translator, tokens: int, codes: Sequence[str], frames: TensorFrame
) -> Carried:
    right = total = exact = same = 0
    shares: list[float] = []
    for start in range(0, len(codes), AT_ONCE):
        chunk, frame = codes[start : start + AT_ONCE], frames[start : start + AT_ONCE]
        targets = translator.targets(chunk)
        logits = translator.decoder(frame.slots, frame.mask, targets[:, :-1])
        real = targets[:, 1:] != PAD
        right += int(((logits.argmax(-1) == targets[:, 1:]) & real).sum())
        total += int(real.sum())
        for code, row, written in zip(
            chunk, targets.tolist(), translator.write(frame), strict=True
        ):
            wanted = row[1 : row.index(EOS) + 1]
            shares.append(_agreeing(written.ids, wanted) / len(wanted))
            exact += written.ids == wanted
            same += _same_program(written.text, code)
    return Carried(
        tokens=tokens,
        functions=len(codes),
        token_accuracy=round(right / total, 4),
        carried=round(statistics.median(shares), 4),
        exact=round(exact / len(codes), 4),
        same_program=round(same / len(codes), 4),
    )


def _agreeing(written: Sequence[int], wanted: Sequence[int]) -> int:
    """Tokens before the first one that differs."""
    pairs = enumerate(zip(written, wanted, strict=False))
    return next((n for n, (own, true) in pairs if own != true), min(len(written), len(wanted)))


def _same_program(written: str, code: str) -> bool:
    try:
        return ast.dump(ast.parse(written)) == ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _from_tokens(
    translator: Translator, decoder: SlotDecoder, ids: Tensor, mask: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits of each next token, and those tokens."""
    length, written = int(mask.sum(1).max()), int((targets != PAD).sum(1).max())
    ids, mask, targets = ids[:, :length], mask[:, :length], targets[:, :written]
    with torch.no_grad():
        features = translator.encoder(ids, mask).tokens
    memory = Memory(decoder.slot_in(features), attendable(mask), None)
    return decoder.read(memory, targets[:, :-1]), targets[:, 1:]
