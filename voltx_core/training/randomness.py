"""Randomness by name: every generator is derived from the seed and what it is used for.

Nothing draws from a global generator, so the stream of a step does not depend on what ran before
it, and a resumed run draws what the uninterrupted one would have drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one purpose: sha256 over the seed and the names."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A torch generator on the CPU; draws are moved to the device where they are used."""
    return torch.Generator().manual_seed(derive(seed, *names))


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator."""
    return np.random.default_rng(derive(seed, *names))


@contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """Within, torch's global generator starts from (seed, names); afterwards it is as before.

    Only for constructors of modules, which draw their first weights from it.
    """
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(derive(seed, *names))
    try:
        yield
    finally:
        torch.set_rng_state(before)


def rows_of_step(seed: int, scope: str, step: int, batch: int, items: int) -> torch.Tensor:
    """Which items step ``step`` trains on, ``[batch]``: epochs of seeded permutations.

    A pure function of its arguments. A batch that reaches the end of an epoch goes on into the
    next one.
    """
    rows: list[torch.Tensor] = []
    position, wanted = step * batch, batch
    while wanted:
        epoch, offset = divmod(position, items)
        order = torch.randperm(items, generator=generator(seed, scope, "epoch", epoch))
        part = order[offset : offset + wanted]
        rows.append(part)
        position += len(part)
        wanted -= len(part)
    return torch.cat(rows)
