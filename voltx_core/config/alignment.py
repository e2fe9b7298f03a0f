"""Learning from executed programs (4.1-4.3)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.section import Positive, Rate, Section, Share


class EndToEndConfig(Section):
    """Joint training with a policy gradient through decoder and RAR (4.1)."""

    steps: Positive = 10_000
    batch: Positive = 16
    samples: Annotated[int, Field(ge=2)] = 8
    """Programs sampled a problem; the others are the baseline of each."""
    flow_weight: float = 0.7
    reinforce_weight: float = 0.3
    temperature: Rate = 0.8
    unrolled_steps: Positive = 4
    """RAR iterations that gradients flow through."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-5, final_lr_share=0.2)


class RewardConfig(Section):
    """Reward of one executed sample; the defaults are the plan's table."""

    kind: Literal["table", "shaped"] = "table"
    """``shaped`` pays the pass rate and a Brier penalty, so humility never beats progress."""
    pass_certain: float = 1.0
    pass_uncertain: float = 0.5
    partial: float = 0.1
    fail_humble: float = 0.2
    fail_confident: float = -2.0
    fail_between: float = -0.5
    unsafe: float = -5.0
    certain: Share = 0.7
    humble: Share = 0.3

    @model_validator(mode="after")
    def _ordered(self) -> "RewardConfig":
        if self.humble >= self.certain:
            raise ValueError(f"humble ({self.humble}) must be below certain ({self.certain})")
        return self


class RlvfConfig(Section):
    """Reinforcement learning from verified feedback (4.2)."""

    steps: Positive = 100_000
    batch: Positive = 8
    samples: Annotated[int, Field(ge=2)] = 8
    temperature: Rate = 0.8
    unrolled_steps: Positive = 4
    self_play_share: Share = 0.25
    """Share of each batch that are mutated problems with verified references."""
    flow_weight: float = 0.3
    """Weight of the supervised loss that anchors the policy."""
    reward: RewardConfig = RewardConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-5)


class SleepConfig(Section):
    """Consolidation with validation and rollback (4.3)."""

    replay: Positive = 5_000
    """Queries replayed."""
    steps: Positive = 1_000
    batch: Positive = 32
    forward_forward_weight: float = 0.1
    strand_minimum: Positive = 50
    """Mutually similar high-reward frames needed to graduate a new strand."""
    strand_cosine: Share = 0.8
    gain_required: float = 0.05
    """Pass-rate gain on new problems without which nothing is kept."""
    loss_allowed: float = 0.03
    """Pass-rate loss on old problems beyond which nothing is kept."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-5)


class AlignmentConfig(Section):
    """Phase 4."""

    e2e: EndToEndConfig = EndToEndConfig()
    rlvf: RlvfConfig = RlvfConfig()
    sleep: SleepConfig = SleepConfig()
