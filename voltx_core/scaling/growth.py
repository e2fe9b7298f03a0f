"""Growing a soft core without changing what it computes.

A wider, deeper field starts as the same function: new channels begin silent, new blocks begin as
identities, and RMSNorm's gain makes up for averaging over more channels. What was learned is kept
and the new parameters are free to move.

Source: Chen et al. 2016 (Net2Net), adapted to pre-norm residual blocks.
"""

import torch
from torch import Tensor, nn

from voltx_core.config.scaling import SizeConfig
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.errors import ConfigError
from voltx_core.soft_core.fno import GROUPS, FourierBody
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.soft_core.vfn import QueryAttention, ResidualMLP


def grown_config(config: SoftCoreConfig, size: SizeConfig) -> SoftCoreConfig:
    """The configuration of the next rung."""
    return config.model_copy(update={"width": size.width, "blocks": size.blocks})


def grow(core: SoftCore, size: SizeConfig) -> SoftCore:
    """A larger core that computes the same function, to float rounding.

    Args:
        core: The smaller core.
        size: Its new width and number of blocks; neither may shrink.

    Raises:
        ConfigError: The size is smaller, or does not divide into the Fourier body's groups.
    """
    old = core.config
    if size.width < old.width or size.blocks < old.blocks:
        raise ConfigError(
            f"Cannot grow {old.width}x{old.blocks} to {size.width}x{size.blocks}: growth never "
            "shrinks. Correct scaling.ladder."
        )
    if old.body == "fno" and size.width % GROUPS:
        raise ConfigError(f"scaling.ladder: width {size.width} must be a multiple of {GROUPS}.")
    larger = SoftCore(core.slot_width, grown_config(old, size))
    larger.attention.load_state_dict(core.attention.state_dict())
    larger.diffusion.load_state_dict(core.diffusion.state_dict())
    kept = channel_map(old, size.width)
    with torch.no_grad():
        _grow_field(core, larger, kept)
    return larger.to(next(core.parameters()).device)


def channel_map(config: SoftCoreConfig, width: int) -> Tensor:
    """Where each old channel goes: the Fourier body keeps its groups together, ``[old width]``."""
    channels = torch.arange(config.width)
    if config.body == "mlp":
        return channels
    inner = config.width // GROUPS
    return channels // inner * (width // GROUPS) + channels % inner


def _grow_field(small: SoftCore, large: SoftCore, kept: Tensor) -> None:
    old, new = small.vfn, large.vfn
    _outputs(new.lift, old.lift, kept)
    new.slot_position.zero_()
    new.slot_position[:, kept] = old.slot_position
    if old.time is not None and new.time is not None:
        _outputs(new.time.linear, old.time.linear, kept)
    for n, block in enumerate(new.blocks):
        if n < len(old.blocks):
            _block(block, old.blocks[n], kept)
        else:
            _silence(block.outer)
    for n, reader in enumerate(new.readers):
        if n < len(old.readers):
            _reader(reader, old.readers[n], kept)
        else:
            _silence(reader.out)
    _norm(new.norm, old.norm, kept)
    _inputs(new.project, old.project, kept)
    _inputs(new.activity, old.activity, kept)


def _block(new: nn.Module, old: nn.Module, kept: Tensor) -> None:
    _norm(new.norm, old.norm, kept)
    if isinstance(new, ResidualMLP) and isinstance(old, ResidualMLP):
        # New hidden units read old channels at random, and nobody listens to them yet.
        _square(new.inner, old.inner, kept)
        _outer(new.outer, old.outer, kept)
    elif isinstance(new, FourierBody) and isinstance(old, FourierBody):
        size = old.spectral.shape[-1]
        new.spectral[..., :size, size:].zero_()
        new.spectral[..., size:, :size].zero_()
        new.spectral[..., :size, :size] = old.spectral
        _square(new.local, old.local, kept)
        _outer(new.outer, old.outer, kept)


def _reader(new: QueryAttention, old: QueryAttention, kept: Tensor) -> None:
    _norm(new.norm, old.norm, kept)
    new.q.weight[:, kept] = old.q.weight
    new.kv.weight.copy_(old.kv.weight)
    new.position.copy_(old.position)
    new.out.weight.zero_()
    new.out.weight[kept] = old.out.weight


def _norm(new: nn.RMSNorm, old: nn.RMSNorm, kept: Tensor) -> None:
    """Averaging over more channels makes the norm smaller; the gain takes that back."""
    share = (old.weight.numel() / new.weight.numel()) ** 0.5
    new.weight.fill_(share)
    new.weight[kept] = old.weight * share


def _outputs(new: nn.Linear, old: nn.Linear, kept: Tensor) -> None:
    """Old rows in place, new channels zero."""
    new.weight.zero_()
    new.bias.zero_()
    new.weight[kept] = old.weight
    new.bias[kept] = old.bias


def _inputs(new: nn.Linear, old: nn.Linear, kept: Tensor) -> None:
    """Old columns in place; new columns random, so that gradients reach their silent inputs."""
    new.reset_parameters()
    new.weight[:, kept] = old.weight
    new.bias.copy_(old.bias)


def _square(new: nn.Linear, old: nn.Linear, kept: Tensor) -> None:
    new.weight[kept.unsqueeze(1), kept] = old.weight
    new.bias[kept] = old.bias


def _outer(new: nn.Linear, old: nn.Linear, kept: Tensor) -> None:
    _silence(new)
    new.weight[kept.unsqueeze(1), kept] = old.weight
    new.bias[kept] = old.bias


def _silence(linear: nn.Linear) -> None:
    nn.init.zeros_(linear.weight)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)
