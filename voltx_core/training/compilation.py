"""``torch.compile`` for the time of a training run, where it pays.

On CUDA small kernels are fused; on a CPU compiling took 70 s and made the forward pass a tenth
faster (docs/log.md), so ``auto`` leaves it off there.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import nn


@contextmanager
def compiled(modules: Mapping[str, nn.Module], *, on: bool) -> Iterator[None]:
    """Within, calls of the modules run compiled; names and weights stay what they are.

    A module that is only a container of others (it has no ``forward``) has those compiled.
    Afterwards the modules run eagerly again: examinations come in too many shapes.
    """
    chosen = [part for module in modules.values() for part in _callable_parts(module)] if on else []
    for module in chosen:
        module.compile()  # in place, so that state_dict() has no "_orig_mod." in its names
    try:
        yield
    finally:
        for module in chosen:
            module._compiled_call_impl = None


def wanted(setting: str, device: str) -> bool:
    """What ``compute.compile`` (auto, on, off) means on a device."""
    return setting == "on" or (setting == "auto" and device.startswith("cuda"))


def _callable_parts(module: nn.Module) -> Iterator[nn.Module]:
    if type(module).forward is not nn.Module.forward:
        yield module
    else:
        for child in module.children():
            yield from _callable_parts(child)
