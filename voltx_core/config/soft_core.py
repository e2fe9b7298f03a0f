"""The field that moves frames (2.1-2.3)."""

from typing import Literal

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.section import Count, Positive, Rate, Section, Share


class SoftCoreConfig(Section):
    """Velocity field, slot attention and diffusion controller, trained jointly (2.1)."""

    width: Positive = 2_048
    blocks: Positive = 6
    body: Literal["mlp", "fno"] = "mlp"
    """Residual MLP per slot, or Fourier neural operator over the slots."""
    objective: Literal["endpoint", "drift"] = "endpoint"
    """``drift`` is the plan's constant field, kept for the ablation table."""
    query_attention: bool = True
    """Cross-attention from the moving slots to the query's slots."""
    slot_embedding: bool = True
    """Tell the field which slot it moves."""
    time_input: bool = False
    """Feed trajectory time; it made the field jitter (see docs/log.md)."""
    rollout_steps: Count = 8
    """Training states come from 0 to this many own RAR steps; 0 gives path states only."""
    query_noise: float = 0.5
    """Noise norm on the query's slots during training is uniform in [0, query_noise]: queries
    never seen give frames that are slightly off."""
    cosine_weight: float = 0.5
    """Weight of 1 - cos(endpoint, solution); more of it makes frames closer and programs worse."""
    decoder_weight: float = 2.0
    """Weight of cross-entropy through the frozen decoder."""
    decoder_share: Share = 1.0
    """Share of each batch that pays the decoder loss."""
    curriculum: Literal["source", "concept"] = "concept"
    """How the three training stages are cut: by data source or by concept level."""
    stage_shares: tuple[float, float, float] = (0.3, 0.35, 0.35)
    """Share of the steps in each of the three curriculum stages."""
    stage_lr_shares: tuple[float, float, float] = (1.0, 0.5, 0.2)
    """Peak learning rate of each stage as a share of optimizer.lr."""
    attention_beta: float = 0.5
    """Weight of the slot-attention message in a RAR step."""
    structured_bias: bool = True
    """Start slot attention from the plan's 16x16 role bias instead of zeros."""
    entropy_weight: float = 0.01
    """Penalty on the entropy of slot attention."""
    sigma_max: float = 0.2
    """Largest noise norm the diffusion controller may ask for."""
    rar_dt: Rate = 0.5
    rar_epsilon: Rate = 0.02
    """A slot freezes when its speed (displacement norm over dt) falls below this."""
    rar_budget: Positive = 30
    """Most RAR iterations."""
    steps: Positive = 100_000
    batch: Positive = 32
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-4)
