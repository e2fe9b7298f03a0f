"""What `voltx bench science` trains: the method itself, and what it would be without each part.

A variant is a set of overrides and the stages whose reports are read. Everything two variants have
in common is trained once: the stages' fingerprints see to that.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voltx_core.config import VoltxConfig, resolve
from voltx_core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One line of the ablation table.

    Attributes:
        name: How ``--variants`` calls it.
        title: What it is, in words.
        stages: Run with everything they need; their reports hold what is shown.
        compared_in: The stage whose held-out pass rates are the variant's own.
        frame: Which frame of that stage's ablation table the pass rates belong to.
        overrides: How its configuration differs from the preset's.
        needs_parameters_of_field: Its decoder gets the parameters that the soft core has.
    """

    name: str
    title: str
    stages: tuple[str, ...] = ("soft_core",)
    compared_in: str = "soft_core"
    frame: str = "rar"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    needs_parameters_of_field: bool = False

    def config(self, preset: str, seed: int, overrides: Sequence[str] = ()) -> VoltxConfig:
        """The configuration of this variant with one seed; published data is left out.

        Args:
            preset: Its sizes.
            seed: Decides problems, weights and draws.
            overrides: ``KEY=VALUE`` texts that hold for every variant.

        Raises:
            ConfigError: An override is not acceptable.
        """
        own = (f"{key}={json.dumps(value)}" for key, value in self.overrides.items())
        asked = [f"seed={seed}", *overrides, *own]
        config = resolve(preset, asked, environ={})
        if self.needs_parameters_of_field:
            blocks = config.translator.decoder_blocks + _blocks_worth_a_field(config)
            asked.append(f"translator.decoder_blocks={blocks}")
            config = resolve(preset, asked, environ={})
        return config


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(name="soft_core", title="as it is, after 2.1"),
        Variant(
            name="baseline",
            title="transformer of equal FLOPs",
            stages=("baseline",),
            compared_in="baseline",
        ),
        Variant(
            name="aligned",
            title="as it is, after 4.3",
            stages=("e2e", "rlvf", "sleep"),
            compared_in="sleep",
        ),
        Variant(
            name="hard_core",
            title="router, certainty and safety",
            stages=("router", "certainty", "safety"),
        ),
        Variant(
            name="zero_bias",
            title="slot attention starts from zeros, not from roles",
            overrides={"soft_core.structured_bias": False},
        ),
        Variant(
            name="constant_drift",
            title="the plan's constant drift, not endpoints",
            overrides={"soft_core.objective": "drift"},
        ),
        Variant(
            name="no_attention",
            title="no slot attention",
            overrides={"soft_core.attention_beta": 0.0},
        ),
        Variant(
            name="no_diffusion",
            title="no diffusion controller",
            overrides={"soft_core.sigma_max": 0.0},
        ),
        Variant(
            name="no_query",
            title="the field does not read the query",
            overrides={"soft_core.query_attention": False},
        ),
        Variant(
            name="path_states",
            title="no states of own rollouts",
            overrides={"soft_core.rollout_steps": 0},
        ),
        Variant(
            name="source_curriculum",
            title="curriculum by source, not by concept",
            overrides={"soft_core.curriculum": "source"},
        ),
        Variant(
            name="no_lexicon",
            title="the encoder has no vectors of words",
            overrides={"translator.lexicon": False},
        ),
        Variant(
            name="query_words",
            title="the decoder also reads the query's words",
            overrides={"translator.query_features": True},
        ),
        Variant(
            name="no_frame_noise",
            title="decoder trained on frames without noise",
            overrides={"translator.slot_noise": 0.0},
        ),
        Variant(
            name="no_field",
            title="no soft core, its parameters in the decoder",
            stages=("translator",),
            compared_in="translator",
            frame="query",
            needs_parameters_of_field=True,
        ),
        Variant(
            name="table_rewards",
            title="RLVF paid by the plan's table",
            stages=("rlvf",),
            compared_in="rlvf",
            overrides={"alignment.rlvf.reward.kind": "table"},
        ),
        Variant(
            name="shaped_rewards",
            title="RLVF paid by shaped rewards",
            stages=("rlvf",),
            compared_in="rlvf",
            overrides={"alignment.rlvf.reward.kind": "shaped"},
        ),
    )
}


def chosen(text: str | None) -> list[Variant]:
    """The variants of a comma-separated list; all of them without one.

    Raises:
        ConfigError: No variant is called that.
    """
    if text is None:
        return list(VARIANTS.values())
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise ConfigError(
            f"--variants {text!r}: no variant is called {', '.join(unknown) or 'nothing'}. "
            f"Variants: {', '.join(VARIANTS)}."
        )
    return [VARIANTS[name] for name in dict.fromkeys(names)]


def _blocks_worth_a_field(config: VoltxConfig) -> int:
    """How many decoder blocks have as many parameters as the soft core, to the nearest."""
    import torch

    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.decoder import SlotDecoder

    t = config.translator
    with torch.device("meta"):
        core = SoftCore(t.slot_width, config.soft_core)
        decoder = SlotDecoder(
            vocabulary=t.vocabulary,
            slot_width=t.slot_width,
            width=t.decoder_width,
            blocks=1,
            heads=t.decoder_heads,
            max_tokens=t.decoder_tokens,
        )
    wanted = sum(p.numel() for p in core.parameters())
    block = sum(p.numel() for p in decoder.blocks.parameters())
    return max(1, round(wanted / block))
