"""Every setting of voltx, with the training plan's own numbers as defaults.

One section a phase, in the order of the graph, each in a module of its own; ``VoltxConfig`` holds
them all. Presets (presets.py) change sizes only, never the method. Nothing here imports torch or
Prefect, so that ``voltx --help`` and ``voltx plan`` answer at once.
"""

from typing import Literal

from pydantic import model_validator

from voltx_core.config.alignment import AlignmentConfig
from voltx_core.config.benchmarks import BaselineConfig, BenchmarksConfig
from voltx_core.config.data import DataConfig
from voltx_core.config.hard_core import CertaintyConfig, CodebookConfig, RouterConfig, SafetyConfig
from voltx_core.config.machine import CheckpointConfig, ComputeConfig, CostConfig, JudgeConfig
from voltx_core.config.scaling import LanguagesConfig, ScalingConfig, SizeConfig
from voltx_core.config.section import Count, Section
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.config.translator import TranslatorConfig
from voltx_core.config.vincigpt import VinciGPTConfig


class VoltxConfig(Section):
    """Everything one run of the graph is determined by."""

    preset: Literal["tiny", "laptop", "single-gpu", "cloud"] = "cloud"
    seed: Count = 0
    data: DataConfig = DataConfig()
    translator: TranslatorConfig = TranslatorConfig()
    codebook: CodebookConfig = CodebookConfig()
    soft_core: SoftCoreConfig = SoftCoreConfig()
    router: RouterConfig = RouterConfig()
    certainty: CertaintyConfig = CertaintyConfig()
    safety: SafetyConfig = SafetyConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    scaling: ScalingConfig = ScalingConfig()
    languages: LanguagesConfig = LanguagesConfig()
    baseline: BaselineConfig = BaselineConfig()
    benchmarks: BenchmarksConfig = BenchmarksConfig()
    vincigpt: VinciGPTConfig = VinciGPTConfig()
    judge: JudgeConfig = JudgeConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    compute: ComputeConfig = ComputeConfig()
    cost: CostConfig = CostConfig()

    @model_validator(mode="after")
    def _consistent(self) -> "VoltxConfig":
        t, problems = self.translator, []
        if t.decoder_width % t.decoder_heads:
            problems.append(
                f"translator.decoder_width ({t.decoder_width}) must be a multiple of "
                f"translator.decoder_heads ({t.decoder_heads})"
            )
        for name, b in (("baseline", self.baseline), ("vincigpt", self.vincigpt)):
            if b.width % b.heads or b.heads % b.kv_heads:
                problems.append(
                    f"{name}.width ({b.width}) must be a multiple of {name}.heads ({b.heads}), "
                    f"and heads of {name}.kv_heads ({b.kv_heads})"
                )
        v = self.vincigpt
        if v.batch_tokens % (v.context * v.accumulation):
            problems.append(
                f"vincigpt.batch_tokens ({v.batch_tokens}) must be a multiple of "
                f"vincigpt.context times vincigpt.accumulation ({v.context} x {v.accumulation})"
            )
        if self.languages.decoder_width % t.decoder_heads:
            problems.append(
                f"languages.decoder_width ({self.languages.decoder_width}) must be a multiple of "
                f"translator.decoder_heads ({t.decoder_heads})"
            )
        s = self.soft_core
        smallest = SizeConfig(width=s.width, blocks=s.blocks)
        for rung in self.scaling.ladder:
            if rung.width < smallest.width or rung.blocks < smallest.blocks:
                problems.append(
                    f"scaling.ladder rung {rung.width}x{rung.blocks} is smaller than "
                    f"{smallest.width}x{smallest.blocks}; the ladder only grows"
                )
            smallest = rung
        shared = self.scaling
        parts = -(-shared.batch // max(1, -(-shared.batch // shared.accumulation)))
        if parts % shared.processes:
            problems.append(
                f"scaling.processes ({shared.processes}) must divide the micro-batches of a step, "
                f"which are {parts} with scaling.batch {shared.batch} and scaling.accumulation "
                f"{shared.accumulation}"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self
