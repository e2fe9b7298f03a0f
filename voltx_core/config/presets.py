"""Presets: the same graph and the same method at four sizes.

``cloud`` is the training plan itself, so it overlays nothing. Every other preset lists the
values it makes smaller, section by section.
"""

from typing import Any, Literal, get_args

PresetName = Literal["tiny", "laptop", "single-gpu", "cloud"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)

SUMMARIES: dict[PresetName, str] = {
    "tiny": "for tests: the whole graph in a few minutes on 2 cores",
    "laptop": "the default: the whole graph in about 12 minutes on 2 cores, and it visibly learns",
    "single-gpu": "one H100, H200, 4090 or 5090: plan-size models for a day",
    "cloud": "the training plan's own numbers",
}

TINY: dict[str, Any] = {
    "data": {
        "generated_problems": 240,
        "evaluation_problems": 24,
        "corpus_files": 60,
        "corpus_mib": 1,
        "pairs": 200,
        "intents": 200,
        "held_out_intents": 60,
        "augmentation": 2,
    },
    "translator": {
        "vocabulary": 512,
        "tokenizer_files": 60,
        "corpus_weight": 0.0,
        "encoder_tokens": 64,
        "decoder_tokens": 72,
        "slot_width": 64,
        "embedding_width": 32,
        "encoder_width": 48,
        "decoder_width": 48,
        "decoder_blocks": 1,
        "steps": 30,
        "batch": 16,
        "optimizer": {"lr": 3e-3},
    },
    "codebook": {"entries": 64, "vectors": 4_000, "iterations": 4, "hnsw_links": 8},
    "soft_core": {
        "width": 64,
        "blocks": 2,
        "steps": 24,
        "batch": 16,
        "rar_budget": 8,
        "rollout_steps": 4,
        "optimizer": {"lr": 2e-3},
    },
    "router": {"vectors": 8, "steps": 60, "batch": 64, "optimizer": {"lr": 1e-2}},
    "safety": {
        "vectors": 8,
        "adversarial": 120,
        "steps": 60,
        "batch": 64,
        "optimizer": {"lr": 1e-2},
    },
    "alignment": {
        "e2e": {"steps": 3, "batch": 4, "samples": 2, "unrolled_steps": 2},
        "rlvf": {"steps": 3, "batch": 4, "samples": 2, "unrolled_steps": 2},
        "sleep": {"replay": 32, "steps": 4, "batch": 16, "strand_minimum": 8},
    },
    "scaling": {"ladder": ({"width": 96, "blocks": 3},), "steps": 6, "batch": 8, "accumulation": 2},
    "languages": {
        "problems": 60,
        "evaluation_problems": 8,
        "vocabulary": 512,
        "decoder_tokens": 160,
        "decoder_width": 48,
        "decoder_blocks": 1,
        "steps": 10,
        "batch": 16,
        "optimizer": {"lr": 3e-3},
    },
    "baseline": {
        "layers": 2,
        "width": 48,
        "heads": 4,
        "kv_heads": 4,
        "hidden": 128,
        "context": 160,
        "batch_tokens": 1_280,
        "steps": 10,
        "optimizer": {"lr": 3e-3},
    },
    "benchmarks": {"samples": 2, "ks": (1, 2), "bootstrap": 100, "problems": 8},
    "checkpoint": {"interval_s": 2.0},
}

LAPTOP: dict[str, Any] = {
    "data": {
        "generated_problems": 10_000,
        "evaluation_problems": 200,
        "corpus_files": 1_500,
        "corpus_mib": 16,
        "pairs": 4_000,
        "intents": 2_000,
        "held_out_intents": 400,
        "augmentation": 4,
    },
    "translator": {
        "vocabulary": 768,
        "tokenizer_files": 400,
        "corpus_share": 0.03,
        "corpus_weight": 0.0,
        "encoder_tokens": 72,
        "decoder_tokens": 72,
        "slot_width": 128,
        "embedding_width": 96,
        "encoder_width": 96,
        "decoder_width": 96,
        "decoder_blocks": 2,
        "steps": 2_200,
        "batch": 16,
        "optimizer": {"lr": 3e-3},
    },
    "codebook": {"entries": 1_024, "vectors": 40_000, "iterations": 10},
    "soft_core": {
        "width": 256,
        "blocks": 3,
        "steps": 900,
        "batch": 16,
        "rar_budget": 16,
        "rar_epsilon": 0.01,
        "optimizer": {"lr": 2e-3},
    },
    "router": {"vectors": 32, "steps": 400, "batch": 128, "optimizer": {"lr": 5e-3}},
    "safety": {
        "vectors": 32,
        "adversarial": 600,
        "steps": 300,
        "batch": 128,
        "optimizer": {"lr": 5e-3},
    },
    "alignment": {
        "e2e": {"steps": 24, "samples": 4, "optimizer": {"lr": 2e-4}},
        "rlvf": {"steps": 24, "samples": 4, "optimizer": {"lr": 1e-4}},
        "sleep": {"replay": 400, "steps": 60, "optimizer": {"lr": 1e-4}},
    },
    "scaling": {
        "ladder": ({"width": 384, "blocks": 4},),
        "steps": 80,
        "batch": 32,
        "accumulation": 2,
        "optimizer": {"lr": 5e-4},
    },
    "languages": {
        "problems": 1_500,
        "evaluation_problems": 24,
        "vocabulary": 768,
        "decoder_tokens": 128,
        "decoder_width": 96,
        "decoder_blocks": 2,
        "steps": 250,
        "batch": 32,
        "optimizer": {"lr": 3e-3},
    },
    "baseline": {
        "layers": 4,
        "width": 128,
        "heads": 4,
        "kv_heads": 4,
        "hidden": 344,
        "context": 192,
        "batch_tokens": 3_072,
        "optimizer": {"lr": 3e-3},
    },
    "benchmarks": {"problems": 200, "samples": 5, "ks": (1, 5)},
    "checkpoint": {"interval_s": 10.0},
}

SINGLE_GPU: dict[str, Any] = {
    "data": {"generated_problems": 20_000, "corpus_files": 60_000, "corpus_mib": 1_024},
    "codebook": {"entries": 16_384, "vectors": 800_000},
    "soft_core": {"steps": 40_000},
    "alignment": {"rlvf": {"steps": 10_000}},
    "scaling": {"ladder": ({"width": 4_096, "blocks": 6},), "steps": 10_000},
    "baseline": {"steps": None},
    "benchmarks": {"samples": 20},
}

PRESETS: dict[PresetName, dict[str, Any]] = {
    "tiny": TINY,
    "laptop": LAPTOP,
    "single-gpu": SINGLE_GPU,
    "cloud": {},
}
