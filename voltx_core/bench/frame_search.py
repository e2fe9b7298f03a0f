"""The best frame of a function, found by descent: what a decoder could write if it got it.

Where the encoder's own frame fails and this one does not, the slots would have carried the function
and encoder or training did not put it there; where this one fails too, the decoder cannot be told.

Source: Kuratov et al. 2025, "Cramming 1568 Tokens into a Single Vector and Back Again".
"""

from collections.abc import Sequence

import torch

from voltx_core.frame import TensorFrame, normalise
from voltx_core.training.randomness import generator
from voltx_core.translator.objective import reconstruction_loss
from voltx_core.translator.translator import Translator

STEPS = 120
RATE = 0.05
AWAKE = 0.1
"""Norm, beside the own slots' 1, at which slots that the encoder left silent begin."""


def best_frames(translator: Translator, codes: Sequence[str], *, steps: int = STEPS) -> TensorFrame:
    """Frames from which the decoder gives the functions the highest probability.

    Every slot is active; the slots that the encoder left silent are as free as the others.

    Args:
        translator: Its decoder is not changed.
        codes: B functions.
        steps: Of Adam, from the encoder's frames; the rate falls to zero.
    """
    own, targets = translator.encode(codes), translator.targets(codes)
    draw = torch.randn(own.slots.shape, generator=generator(0, "best frames")).to(own.slots)
    free = (own.slots + AWAKE * normalise(draw)).requires_grad_()
    mask = torch.ones_like(own.mask)
    mover = torch.optim.Adam([free], lr=RATE)
    for step in range(steps):
        mover.param_groups[0]["lr"] = RATE * (1 - step / steps)
        frame = TensorFrame(normalise(free), mask, own.certainty)
        reconstruction_loss(translator.decoder, frame, targets).backward(inputs=[free])
        mover.step()
        mover.zero_grad()
    return TensorFrame(normalise(free.detach()), mask, own.certainty)


def spread_over_lengths(translator: Translator, codes: Sequence[str], most: int) -> list[str]:
    """At most so many of the functions, evenly from the shortest to the longest."""
    lengths = translator.tokenizer.lengths(codes)
    order = sorted(range(len(codes)), key=lambda n: (lengths[n], n))
    count = min(most, len(order))
    return [codes[order[n * len(order) // count]] for n in range(count)]
