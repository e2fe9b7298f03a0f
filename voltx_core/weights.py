"""Weights on disk: safetensors with one JSON metadata value, never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from voltx_core.errors import DataError

KEY = "voltx"
"""The single metadata key: with two or more, their order in the file varies between processes."""


def save_weights(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and the facts needed to rebuild their module; equal input, equal bytes."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    cpu = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(cpu, path, metadata={KEY: json.dumps(dict(facts), sort_keys=True)})


def load_weights(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``save_weights`` wrote.

    Raises:
        DataError: Missing, damaged, or weights of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(
            f"{path} does not hold readable weights: {error}. Restore it from the store "
            "(voltx run fetches and verifies it again) or supply an intact file."
        ) from error
    if facts.get("kind") != kind:
        raise DataError(f"{path} holds {facts.get('kind')!r}, expected {kind!r}. Check the path.")
    return tensors, facts


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Fill a module, naming file and tensor where they do not fit.

    Raises:
        DataError: A tensor is missing, unknown or of another shape.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise DataError(f"{path} does not fit its own description: {error}") from error
