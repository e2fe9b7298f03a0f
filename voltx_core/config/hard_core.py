"""Codebook (0.3), router (3.1), certainty (3.2) and safety (3.3)."""

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.section import Positive, Rate, Section, Share


class CodebookConfig(Section):
    """Spherical k-means over slot vectors of the corpus (0.3)."""

    entries: Positive = 65_536
    vectors: Positive = 2_600_000
    """Most slot vectors clustered."""
    iterations: Positive = 10
    tolerance: Rate = 1e-4
    """Stop when the mean cosine improves by less than this share."""
    hnsw_links: Positive = 24
    hnsw_construction: Positive = 200
    recall_target: Share = 0.95
    """efSearch is doubled until recall@1 against exact search reaches this."""


class RouterConfig(Section):
    """Intent router (3.1)."""

    vectors: Positive = 256
    """Prototype vectors of each strand."""
    steps: Positive = 10_000
    batch: Positive = 256
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3)


class CertaintyConfig(Section):
    """Calibration of the certainty (3.2)."""

    isotonic_minimum: Positive = 500
    """Fewer calibration points than this use Platt scaling."""
    bins: Positive = 10
    """Equal-width bins of the expected calibration error."""


class SafetyConfig(Section):
    """Safety axioms K1-K5 (3.3)."""

    vectors: Positive = 256
    """Vectors of each axiom."""
    adversarial: Positive = 1_500
    """Generated adversarial programs for K1-K3 together; K4 and K5 come on top."""
    steps: Positive = 2_000
    batch: Positive = 256
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3)
