"""Teaching a larger core what a smaller one knows."""

import torch
from torch import Tensor

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import TensorFrame
from voltx_core.soft_core.flow_matching import rollout
from voltx_core.soft_core.soft_core import SoftCore


def teacher_loss(
    student: SoftCore,
    teacher: SoftCore,
    query: TensorFrame,
    config: SoftCoreConfig,
    generator: torch.Generator,
) -> Tensor:
    """1 - cosine between the endpoints that student and teacher see from the student's states.

    Args:
        student: What is trained.
        teacher: Frozen, usually smaller.
        query: B frames.
        config: Rollout settings.
        generator: Draws of this step.

    Source: Hinton et al. 2015, on states of the student's own trajectory (DAgger, Ross 2011).
    """
    with torch.no_grad():
        state, _ = rollout(student, query, config, generator)
        wanted, _, _ = teacher.endpoint(state, query)
    end, _, _ = student.endpoint(state, query)
    return 1 - (end * wanted).sum(-1).mean()
