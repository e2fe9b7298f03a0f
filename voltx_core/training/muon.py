"""Muon for the matrices inside a network, AdamW for everything else, as one optimizer.

Embeddings, what is tied to them, and vectors are not maps between hidden spaces, which is what
orthogonal steps are for. Muon's steps are scaled to the size of AdamW's, so both share a schedule.

Source: Jordan et al. 2024 (Muon); Liu et al. 2025 (its scaling).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.training.schedule import adamw_of


class MuonWithAdamW:
    """What the training loop needs of an optimizer: groups, steps, and a state to save.

    Args:
        modules: What is trained.
        config: Its ``lr``, ``weight_decay`` and betas are AdamW's; Muon's momentum is its own.
    """

    def __init__(self, modules: Iterable[nn.Module], config: OptimizerConfig) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for module in modules:
            tables = {
                id(p)
                for part in module.modules()
                if isinstance(part, nn.Embedding)
                for p in part.parameters()
            }
            for name, p in module.named_parameters():
                if p.requires_grad:
                    inner = p.ndim == 2 and id(p) not in tables and not name.startswith("head.")
                    (matrices if inner else others).append(p)
        muon = torch.optim.Muon(
            matrices,
            lr=config.lr,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self._parts = (muon, adamw_of(others, config))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Of both, live."""
        return [group for part in self._parts for group in part.param_groups]

    def step(self) -> None:
        for part in self._parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self._parts:
            part.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """As of one optimizer: parameters are numbered through."""
        state: dict[int, Any] = {}
        groups: list[dict[str, Any]] = []
        for part in self._parts:
            own, first = part.state_dict(), _parameters(groups)
            state |= {first + index: moments for index, moments in own["state"].items()}
            groups += [
                group | {"params": [first + index for index in group["params"]]}
                for group in own["param_groups"]
            ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        first, begin = 0, 0
        for part in self._parts:
            groups = saved["param_groups"][begin : begin + len(part.param_groups)]
            begin, end = begin + len(groups), first + _parameters(groups)
            part.load_state_dict(
                {
                    "state": {i - first: m for i, m in saved["state"].items() if first <= i < end},
                    "param_groups": [
                        group | {"params": [i - first for i in group["params"]]} for group in groups
                    ],
                }
            )
            first = end


def _parameters(groups: list[dict[str, Any]]) -> int:
    return sum(len(group["params"]) for group in groups)
