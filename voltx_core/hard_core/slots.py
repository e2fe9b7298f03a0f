"""Slot vectors of many texts, and of programs longer than one frame can read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from voltx_core.errors import Interrupted
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.translator.translator import Translator

CHUNK = 1_024
"""Texts encoded between two looks at the clock; fixed, so that a resumed run batches alike."""
CHARACTERS_A_TOKEN = 2
"""Fewer than code has on average: a window of this many characters a token fits the encoder."""
MOST_WINDOWS = 16


@dataclass(frozen=True, slots=True)
class SlotVectors:
    """Active slots of texts: ``vectors`` ``[N, W]`` on the CPU, ``owners`` ``[N]`` their texts."""

    vectors: Tensor
    owners: Tensor


def slot_vectors(
    translator: Translator,
    texts: Iterable[str],
    *,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[int], object] | None = None,
) -> SlotVectors:
    """Encode texts and keep the vectors of their active slots.

    Progress is saved in pieces (``encoding-0``, ``encoding-1``, ...), so that a save writes what
    is new and not everything again.

    Args:
        translator: Encodes.
        texts: The same ones in the same order whenever the stage is restarted.
        checkpoints: Where pieces are saved and restored.
        stop: Polled after each chunk.
        tell: Called with the number of texts done.

    Raises:
        Interrupted: ``stop`` was set; what was encoded is saved when there are checkpoints.
    """
    pieces: list[tuple[Tensor, Tensor]] = []
    done = saved = 0
    while checkpoints is not None:
        piece = checkpoints.restore(f"encoding-{saved}")
        if piece is None:
            break
        pieces.append((piece.tensors["vectors"], piece.tensors["owners"]))
        done, saved = piece.step, saved + 1
    pending: list[tuple[Tensor, Tensor]] = []
    for chunk in _chunks(islice(texts, done, None), CHUNK):
        frame = translator.encode(chunk)
        owners = torch.arange(done, done + len(chunk))[:, None].expand(frame.mask.shape)
        mask = frame.mask.cpu()
        pending.append((frame.slots.cpu()[mask], owners[mask]))
        done += len(chunk)
        if tell is not None:
            tell(done)
        stopping = stop()
        if checkpoints is not None and (stopping or checkpoints.due()):
            pieces.append(_joined(pending))
            vectors, owners = pieces[-1]
            tensors = {"vectors": vectors, "owners": owners}
            checkpoints.save(f"encoding-{saved}", done, tensors, {})
            saved, pending = saved + 1, []
        if stopping:
            raise Interrupted(f"Encoding stopped after {done} texts; start the stage again.")
    if pending:
        pieces.append(_joined(pending))
        if checkpoints is not None and checkpoints.worthwhile():
            vectors, owners = pieces[-1]
            tensors = {"vectors": vectors, "owners": owners}
            checkpoints.save(f"encoding-{saved}", done, tensors, {}, wait=False)
    if not pieces:
        return SlotVectors(torch.empty(0, translator.width), torch.empty(0, dtype=torch.long))
    return SlotVectors(*_joined(pieces))


def windows(code: str, characters: int) -> list[str]:
    """Cut a program into windows of whole lines, each sharing a line with the one before.

    A line that is longer than a window is cut. At most ``MOST_WINDOWS`` are given.
    """
    lines = [
        line[start : start + characters]
        for line in code.splitlines()
        for start in range(0, max(1, len(line)), characters)
    ]
    found: list[list[str]] = [[]]
    for line in lines:
        if found[-1] and sum(map(len, found[-1])) + len(found[-1]) + len(line) > characters:
            shared = found[-1][-1]
            found.append([shared] if len(shared) + 1 + len(line) <= characters else [])
        found[-1].append(line)
    return ["\n".join(each) for each in found[:MOST_WINDOWS]]


def encode_whole(
    translator: Translator, codes: Sequence[str], poll: Callable[[], None] = lambda: None
) -> tuple[Tensor, Tensor]:
    """The slots of every window of every program, side by side.

    A frame reads only as many tokens as the encoder does; what a program does after that must not
    escape a review. ``poll`` is called now and then and may raise to end the work.

    Returns:
        Slots ``[N, S, W]`` and mask ``[N, S]``, with S = 16 x the most windows of any program.
    """
    size = CHARACTERS_A_TOKEN * translator.encoder.max_tokens
    parts = [windows(code, size) for code in codes]
    frame = translator.encode([text for each in parts for text in each], poll=poll)
    most = max(len(each) for each in parts)
    count, slots, width = len(codes), frame.mask.shape[1], frame.width
    rows = torch.tensor([n for n, each in enumerate(parts) for _ in each])
    places = torch.tensor([n for each in parts for n in range(len(each))])
    bag = frame.slots.new_zeros(count, most, slots, width)
    mask = frame.mask.new_zeros(count, most, slots)
    bag[rows, places], mask[rows, places] = frame.slots, frame.mask
    return bag.flatten(1, 2), mask.flatten(1, 2)


def _chunks(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while chunk := list(islice(texts, size)):
        yield chunk


def _joined(pieces: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    vectors, owners = zip(*pieces, strict=True)
    return torch.cat(vectors), torch.cat(owners)
