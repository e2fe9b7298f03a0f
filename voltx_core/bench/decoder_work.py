"""The work of `voltx bench decoder`: functions, one training a variant, and what is kept of it.

Everything lies in a folder: the functions, checkpoints of what is being trained, and the result of
what has been. A bench that is killed goes on from its last checkpoint.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voltx_core.bench.decoder_variants import SLOTS, Variant
from voltx_core.bench.frame_search import best_frames, spread_over_lengths
from voltx_core.bench.functions import mine_functions
from voltx_core.bench.reconstruction import (
    Carried,
    Writing,
    by_length,
    short_enough,
    token_accuracy_from_tokens,
    train_on_tokens,
)
from voltx_core.bench.session import BenchSession
from voltx_core.config import VoltxConfig
from voltx_core.errors import DataError
from voltx_core.training.state import Trained
from voltx_core.translator.tokenizer import CodeTokenizer

CHECKPOINT_S = 20.0
EXAMINED = 400
"""Functions that were learned from and are examined beside the held-out ones."""

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Material:
    """Functions short enough to be written in full, and the vocabulary learned from them.

    Attributes:
        learn: To learn from.
        held_out: Of packages that nothing is learned from.
        longer: Share of the mined functions that were too long.
    """

    tokenizer: CodeTokenizer
    learn: list[str]
    held_out: list[str]
    longer: float


def prepare(folder: Path, config: VoltxConfig, functions: int, pool: int, say: Say) -> Material:
    """Mine functions and learn a vocabulary, once a folder.

    Raises:
        DataError: Too few functions are short enough.
    """
    settings = config.translator
    most = min(settings.encoder_tokens, settings.decoder_tokens)
    path = folder / f"functions-{functions}-{pool}-{settings.vocabulary}-{config.seed}.json"
    if path.is_file():
        found = json.loads(path.read_text())
        tokenizer = CodeTokenizer.of_text(found["tokenizer"])
    else:
        say(f"mining at most {functions} functions of the installed packages")
        mined = mine_functions(functions, pool=pool, seed=config.seed)
        found = {
            "learn": [pair.code for pair in mined.learn],
            "held_out": [pair.code for pair in mined.pool],
        }
        tokenizer = CodeTokenizer.train(found["learn"], settings.vocabulary)
        found["tokenizer"] = tokenizer.text()
        _write(path, found)
    learn = short_enough(tokenizer, found["learn"], most)
    held_out = short_enough(tokenizer, found["held_out"], most)
    if len(learn) < settings.batch or not held_out:
        raise DataError(
            f"Of {len(found['learn'])} functions, {len(learn)} have at most {most} tokens, and "
            f"{len(held_out)} of those held out; use more functions or more tokens."
        )
    return Material(tokenizer, learn, held_out, 1 - len(learn) / len(found["learn"]))


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a variant; lists go by the length of the functions.

    Attributes:
        training: Steps, seconds, arithmetic and last loss.
        held_out: Functions of held-out packages, from their own frames.
        learned: Functions that were learned from, from their own frames.
        best_frame: A few held-out functions, from frames found by descent.
        diagnostic: Training of the decoder that reads every token; None where it was not asked for.
        accuracy_from_tokens: Its token accuracy on held-out functions.
    """

    training: dict[str, float]
    held_out: list[Carried]
    learned: list[Carried]
    best_frame: list[Carried]
    diagnostic: dict[str, float] | None = None
    accuracy_from_tokens: float | None = None

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Measured":
        """What was written down as JSON."""
        rows = ("held_out", "learned", "best_frame")
        return cls(**kept | {name: [Carried(**row) for row in kept[name]] for name in rows})


def measure(
    material: Material,
    variant: Variant,
    config: VoltxConfig,
    base: VoltxConfig,
    folder: Path,
    *,
    searched: int,
    diagnostic: bool,
    device: str,
    say: Say,
) -> Measured:
    """Train a variant and examine it, or read what is kept of that.

    Args:
        material: What it learns from and is examined on.
        variant: What is varied.
        config: Its settings.
        base: Settings of what it is compared with: both get the same arithmetic.
        folder: Where results and checkpoints are kept.
        searched: Held-out functions whose best frame is looked for.
        diagnostic: Train a decoder on the features of every token as well.
        device: Where to train.
        say: Takes lines of progress.
    """
    key = _key(material, variant, config, base, searched, diagnostic)
    kept = folder / f"{key}.json"
    if kept.is_file():
        say("kept from before")
        return Measured.of(json.loads(kept.read_text()))
    codes = variant.choose(material.learn)
    writing = Writing.open(material.tokenizer, codes, config, slots=variant.slots, device=device)
    steps = config.translator.steps
    if variant.times or variant.slots != SLOTS:
        plain = Writing.open(material.tokenizer, codes, base, device=device)
        steps = max(1, round(steps * plain.flops() / writing.flops()))
    session = BenchSession.open(
        config, folder / key, device=device, say=say, interval_s=CHECKPOINT_S
    )
    trained, translator = writing.train(session, steps), writing.translator
    say("examining")
    learned = spread_over_lengths(translator, codes, EXAMINED)
    few = spread_over_lengths(translator, material.held_out, searched)
    reading, accuracy = None, None
    if diagnostic:
        say("a decoder that reads every token")
        reader, read = train_on_tokens(translator, codes, session, steps)
        reading = _facts(read)
        accuracy = round(token_accuracy_from_tokens(translator, reader, material.held_out), 4)
    measured = Measured(
        training=_facts(trained),
        held_out=by_length(translator, material.held_out),
        learned=by_length(translator, learned),
        best_frame=by_length(translator, few, best_frames(translator, few)),
        diagnostic=reading,
        accuracy_from_tokens=accuracy,
    )
    _write(kept, asdict(measured))
    shutil.rmtree(session.checkpoints.folder)
    return measured


def _facts(trained: Trained) -> dict[str, float]:
    return {
        "steps": trained.steps,
        "seconds": round(trained.seconds, 1),
        "tflop": round(trained.flops / 1e12, 2),
        "loss": round(trained.curve[-1][1], 4),
    }


def _key(material: Material, variant: Variant, *rest: Any) -> str:
    """Equal for equal work: functions, what is varied, settings, what is examined."""
    digest = hashlib.sha256()
    for part in (*material.learn, *material.held_out, repr(variant), *map(repr, rest)):
        digest.update(part.encode(errors="replace") + b"\0")
    return digest.hexdigest()[:16]


def _write(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value))
    fresh.replace(path)
