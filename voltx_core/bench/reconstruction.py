"""Writing real functions back: from the sixteen slots of their frame, and from every token.

The second is the plan's diagnostic. A decoder that sees the features of every token of the very
code it writes needs only to find its place in them; what it reaches bounds what sixteen slots can.
"""

import ast
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from voltx_core.bench.session import BenchSession, steps_within
from voltx_core.config import VoltxConfig
from voltx_core.training.loop import Batch, Loss, train
from voltx_core.training.randomness import seeded
from voltx_core.training.state import Trained
from voltx_core.translator.decoder import Memory, SlotDecoder, attendable
from voltx_core.translator.objective import PairSet, translator_loss, writing_loss
from voltx_core.translator.tokenizer import EOS, PAD, CodeTokenizer
from voltx_core.translator.translator import Translator

LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Upper ends, in tokens, of the classes that functions are sorted into."""
AT_ONCE = 64


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


def train_on_slots(
    tokenizer: CodeTokenizer,
    codes: Sequence[str],
    config: VoltxConfig,
    folder: Path,
    *,
    minutes: float | None,
    device: str,
    say: Callable[[str], object],
) -> tuple[Translator, Trained]:
    """Encoder and decoder, trained together to write functions back through their slots."""
    settings = config.translator
    session = BenchSession.open(config, folder, device=device, say=say)
    with seeded(config.seed, "through the slots"):
        translator = Translator.create(tokenizer, settings, texts=codes, device=device)
    pairs = PairSet(tokenizer, codes, codes, settings)
    modules = {"encoder": translator.encoder, "decoder": translator.decoder}

    def loss(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return translator_loss(
            translator.encoder,
            translator.decoder,
            pairs,
            batch.rows,
            settings,
            batch.generator,
            device,
        )

    return translator, _fit(session, "slots", modules, loss, len(codes), minutes)


def train_on_tokens(
    translator: Translator,
    codes: Sequence[str],
    config: VoltxConfig,
    folder: Path,
    *,
    minutes: float | None,
    device: str,
    say: Callable[[str], object],
) -> tuple[SlotDecoder, Trained]:
    """A decoder that reads every token's features from the encoder as it is: the diagnostic."""
    settings = config.translator
    session = BenchSession.open(config, folder, device=device, say=say)
    with seeded(config.seed, "from every token"):
        decoder = SlotDecoder(**translator.decoder.sizes).to(device)
    ids, mask = translator.tokenizer.encode(codes, settings.encoder_tokens)
    targets = translator.targets(codes)

    def loss(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        rows = batch.rows
        logits, wanted = _from_tokens(
            translator, decoder, ids[rows].to(device), mask[rows].to(device), targets[rows]
        )
        return writing_loss(logits, wanted), {}

    return decoder, _fit(session, "tokens", {"decoder": decoder}, loss, len(codes), minutes)


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
def by_length(translator: Translator, codes: Sequence[str]) -> list[Carried]:
    """What comes back of functions from their true frames, shortest class first."""
    classes: dict[int, list[str]] = {}
    for code, length in zip(codes, translator.tokenizer.lengths(codes), strict=True):
        end = next((end for end in LENGTHS if length <= end), length)
        classes.setdefault(end, []).append(code)
    return [_carried(translator, end, classes[end]) for end in sorted(classes)]


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


def _fit(
    session: BenchSession,
    scope: str,
    modules: Mapping[str, nn.Module],
    loss: Loss,
    items: int,
    minutes: float | None,
) -> Trained:
    settings, steps = session.config.translator, session.config.translator.steps
    if minutes is not None:
        steps = steps_within(session, minutes, loss, items=items, batch=settings.batch)
        for module in modules.values():
            module.zero_grad()
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


def _carried(translator: Translator, tokens: int, codes: Sequence[str]) -> Carried:
    right = total = exact = same = 0
    shares: list[float] = []
    for start in range(0, len(codes), AT_ONCE):
        chunk = codes[start : start + AT_ONCE]
        frame = translator.encode(chunk)
        targets = translator.targets(chunk)
        logits = translator.decoder(frame.slots, frame.mask, targets[:, :-1])
        real = targets[:, 1:] != PAD
        right += int(((logits.argmax(-1) == targets[:, 1:]) & real).sum())
        total += int(real.sum())
        for code, row, written in zip(
            chunk, targets.tolist(), translator.write(frame), strict=True
        ):
            wanted = row[1 : row.index(EOS) + 1]
            before = next(
                (
                    n
                    for n, (own, true) in enumerate(zip(written.ids, wanted, strict=False))
                    if own != true
                ),
                min(len(written.ids), len(wanted)),
            )
            shares.append(before / len(wanted))
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
