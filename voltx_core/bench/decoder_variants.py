"""What `voltx bench decoder` varies: one thing at a time, for the same arithmetic."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voltx_core.bench.encoder import PRESET
from voltx_core.config import VoltxConfig, resolve
from voltx_core.errors import ConfigError

SLOTS = 16
"""Of a frame; ``frame`` says the same, but imports torch."""
SIZES: dict[str, dict[str, Any]] = {
    "laptop": {
        "translator.vocabulary": 2_048,
        "translator.encoder_tokens": 128,
        "translator.decoder_tokens": 128,
        "translator.steps": 1_200,
        "compute.log_every": 50,
    },
    "plan": {},
}
"""What differs from the preset of that name; ``plan`` is the plan's own translator."""
QUICK: dict[str, Any] = {
    "translator.vocabulary": 512,
    "translator.encoder_tokens": 64,
    "translator.decoder_tokens": 64,
    "translator.steps": 20,
}
METHOD: dict[str, Any] = {
    "translator.objective": "reconstruction",
    "translator.translation_share": 0.0,
    "translator.contrastive_weight": 0.0,
    "translator.role_weight": 0.0,
}
"""Every function is written from its own frame: there is no query. No slot has a role, for fewer
slots than roles are compared as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One line of the comparison.

    Attributes:
        title: What it is, in words.
        slots: Slots of its frames.
        times: Settings of the translator that are multiplied, and by what.
        sets: Settings of the translator that are replaced.
        share: Share of the functions that it learns from.
        most: Most functions that it learns from; a few are learned by heart.
    """

    title: str
    slots: int = SLOTS
    times: Mapping[str, int] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    most: int | None = None

    def choose(self, codes: Sequence[str]) -> list[str]:
        """The functions that it learns from."""
        return list(codes[: int(self.share * len(codes))][: self.most])


VARIANTS: dict[str, Variant] = {
    "base": Variant(title="as it is"),
    "few": Variant(title="4 slots instead of 16", slots=4),
    "slots": Variant(title="64 slots instead of 16", slots=64),
    "width": Variant(title="slots twice as wide", times={"slot_width": 2}),
    "decoder": Variant(title="twice the decoder blocks", times={"decoder_blocks": 2}),
    "data": Variant(title="half of the functions", share=0.5),
    "noise": Variant(title="slots without noise in training", sets={"slot_noise": 0.0}),
    "roles": Variant(title="with role labels, as in the graph", sets={"role_weight": 0.1}),
    "heart": Variant(title="256 functions, by heart", most=256),
    "heart_one": Variant(title="256 functions, by heart, through one slot", most=256, slots=1),
}


def chosen(text: str) -> list[str]:
    """The names of a comma-separated list, ``base`` first: everything is compared with it.

    Raises:
        ConfigError: No variant is called that.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise ConfigError(
            f"--variants {text!r}: no variant is called {', '.join(unknown) or 'nothing'}. "
            f"Variants: {', '.join(VARIANTS)}."
        )
    return list(dict.fromkeys(["base", *names]))


def configured(
    size: str, variant: Variant, steps: int | None, overrides: Sequence[str], *, quick: bool = False
) -> VoltxConfig:
    """The settings of a variant at a size, with the user's own below what it varies.

    Raises:
        ConfigError: Unknown size or setting.
    """
    if size not in SIZES:
        raise ConfigError(f"--size {size!r} is unknown; use one of {', '.join(SIZES)}")
    settings = METHOD | SIZES[size] | (QUICK if quick else {})
    own = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    if steps is not None:
        own.append(f"translator.steps={steps}")
    base = resolve(PRESET[size], [*own, *overrides])
    changed = {key: by * getattr(base.translator, key) for key, by in variant.times.items()}
    changed |= variant.sets
    varied = [f"translator.{key}={json.dumps(value)}" for key, value in changed.items()]
    return resolve(PRESET[size], [*own, *overrides, *varied])
