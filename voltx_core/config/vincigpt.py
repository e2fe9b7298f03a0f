"""vinciGPT (8.1-8.2): a small language model of its own, and its named variants."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.presets import PresetName
from voltx_core.config.section import Count, Positive, Rate, Section, Share

VinciGPTPreset = Literal["tiny", "laptop", "h100-1h"]
Ablation = Literal["no-mask", "relu2", "muon"]

PRESET_OF: dict[VinciGPTPreset, PresetName] = {
    "tiny": "tiny",
    "laptop": "laptop",
    "h100-1h": "single-gpu",
}
"""The size of everything else (disk, memory, checkpoints) that goes with each size of vinciGPT."""
NAME_OF: dict[PresetName, VinciGPTPreset] = {size: name for name, size in PRESET_OF.items()}
ABLATIONS: dict[Ablation, dict[str, Any]] = {
    "no-mask": {"vincigpt.mask_documents": False},
    "relu2": {"vincigpt.activation": "relu2"},
    "muon": {"vincigpt.optimizer.kind": "muon"},
}
"""One change each to what a preset trains."""
ABLATION_NAMES: tuple[Ablation, ...] = get_args(Ablation)


class CorpusConfig(Section):
    """What is read, and into how many tokens it is cut."""

    source: str | None = "tinystories"
    """``tinystories`` (fetched from the hub, pinned), or a path: ``.txt``, ``.jsonl`` or
    ``.parquet`` with ``text`` or ``content``, or a folder of these. Without it, the docstrings of
    the Python packages installed on this machine are read."""
    vocabulary: Annotated[int, Field(ge=300, le=65_536)] = 32_768
    """Byte-level BPE entries; a token is two bytes on disk."""
    tokenizer_mib: Positive = 256
    """MiB of text that the tokenizer is trained on."""
    most_mib: Positive = 8_192
    """Most MiB of text kept of each part: what is trained on, what is held out."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Share held out where the source has no validation part of its own: whole packages of a
    machine, single documents of a file."""
    validation_tokens: Positive = 500_000
    """Most tokens of the validation part that are kept."""


class LanguageOptimizerConfig(OptimizerConfig):
    """AdamW for everything, or Muon for the matrices inside the blocks."""

    kind: Literal["adamw", "muon"] = "adamw"


class VinciGPTConfig(Section):
    """The language model: 110 million parameters in an hour of one H100."""

    corpus: CorpusConfig = CorpusConfig()
    layers: Positive = 12
    width: Positive = 768
    heads: Positive = 12
    kv_heads: Positive = 12
    hidden: Positive = 2_048
    context: Positive = 512
    rope_theta: Rate = 10_000.0
    activation: Literal["swiglu", "relu2"] = "swiglu"
    mask_documents: bool = True
    """No attention across documents. Off: a token sees all that precedes it in its row."""
    batch_tokens: Positive = 131_072
    """Tokens of an optimizer step."""
    accumulation: Positive = 4
    """Micro-batches of a step."""
    steps: Positive = 10_000
    evaluate_every: Count = 500
    """Steps between two looks at the validation part, each with samples; 0 leaves the last."""
    samples: Count = 4
    """Texts written at each look."""
    sample_tokens: Positive = 160
    sample_temperature: Rate = 0.8
    sample_top_p: Share = 0.95
    optimizer: LanguageOptimizerConfig = LanguageOptimizerConfig(
        lr=6e-4, weight_decay=0.1, beta2=0.95, warmup_share=0.03, final_lr_share=0.1
    )


def translated(
    preset: VinciGPTPreset, ablations: Iterable[Ablation], overrides: Mapping[str, Any]
) -> tuple[PresetName, dict[str, Any]]:
    """The preset of the whole configuration, and all overrides; explicit ones win."""
    changes: dict[str, Any] = {}
    for ablation in ablations:
        changes |= ABLATIONS[ablation]
    return PRESET_OF[preset], changes | dict(overrides)
