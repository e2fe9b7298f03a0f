"""The transformer baseline (5.0) and the final benchmarks (5.3)."""

from pydantic import model_validator

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.section import Positive, Rate, Section, Share


class BaselineConfig(Section):
    """vinciGPT, the transformer that Volt X is compared with at equal tokens and FLOPs (5.0)."""

    layers: Positive = 12
    width: Positive = 768
    heads: Positive = 12
    kv_heads: Positive = 12
    hidden: Positive = 2_048
    context: Positive = 512
    rope_theta: Rate = 10_000.0
    batch_tokens: Positive = 131_072
    steps: Positive | None = None
    """Training steps; empty means as many as give the FLOPs of translator and soft core."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=6e-4, weight_decay=0.1, beta2=0.95)


class BenchmarksConfig(Section):
    """Final benchmarks (5.3)."""

    suites: tuple[str, ...] = ("humaneval", "mbpp", "apps")
    """Published suites; one whose data is absent is reported as not run."""
    samples: Positive = 100
    """Programs sampled a problem for pass@k with k > 1; pass@1 is greedy as well."""
    temperature: Rate = 0.8
    top_p: Share = 0.95
    ks: tuple[int, ...] = (1, 10, 100)
    bootstrap: Positive = 1_000
    """Resamples of the bootstrap intervals."""
    problems: Positive = 1_000
    """Most problems of each suite."""

    @model_validator(mode="after")
    def _enough_samples(self) -> "BenchmarksConfig":
        if max(self.ks) > self.samples:
            raise ValueError(
                f"pass@{max(self.ks)} needs at least as many samples as k, "
                f"got samples={self.samples}"
            )
        return self
