"""The vectors of `voltx bench codebook`: clustered, isotropic, and the slots of real code."""

import torch
from torch import Tensor

from voltx_core.frame import normalise
from voltx_core.stages.workspace import Workspace
from voltx_core.training.randomness import generator

TOPICS = 256
CLUSTERS_A_TOPIC = 64
_CLUSTER_SPREAD = 0.7
_VECTOR_SPREAD = 0.45
_TRANSLATOR = ("tokenizer", "encoder", "decoder", "corpus")
_CHARACTERS = 8_192
"""The encoder reads less than this of a file."""


def clustered(count: int, width: int, *, seed: int, draw: int = 0) -> Tensor:
    """Unit vectors ``[N, W]`` around 16,384 centres of 256 topics, sizes log-normal.

    Args:
        seed: Decides the centres.
        draw: Which vectors around them: another number gives others of the same kind.
    """
    centres = generator(seed, "bench", "centres")
    topics = normalise(torch.randn(TOPICS, width, generator=centres))
    apart = normalise(torch.randn(TOPICS * CLUSTERS_A_TOPIC, width, generator=centres))
    heads = normalise(topics.repeat_interleave(CLUSTERS_A_TOPIC, 0) + _CLUSTER_SPREAD * apart)
    sizes = torch.randn(len(heads), generator=centres).exp()
    drawn = generator(seed, "bench", "clustered", draw)
    chosen = torch.multinomial(sizes, count, replacement=True, generator=drawn)
    noise = normalise(torch.randn(count, width, generator=drawn))
    return normalise(heads[chosen] + _VECTOR_SPREAD * noise)


def isotropic(count: int, width: int, *, seed: int, draw: int = 0) -> Tensor:
    """Unit vectors ``[N, W]`` without any structure: the worst case for every short cut."""
    drawn = generator(seed, "bench", "isotropic", draw)
    return normalise(torch.randn(count, width, generator=drawn))


def real_frames(store: str | None, most: int, *, seed: int) -> tuple[Tensor | None, str]:
    """Slots of the corpus of the newest run whose translator and corpus are there.

    Returns:
        Unit vectors ``[N, W]``, at most ``most``, or None; and where they come from, or why there
        are none.
    """
    from itertools import islice

    from voltx_core.data.jsonl import read_jsonl
    from voltx_core.hard_core.slots import slot_vectors
    from voltx_core.stages import lineage
    from voltx_core.translator.translator import Translator

    workspace = Workspace.open(store)
    run = lineage.newest_with(_TRANSLATOR, workspace)
    if run is None:
        return None, f"{workspace.url} holds no translator and corpus: voltx run --until 1.1"
    found = lineage.fetch(run, _TRANSLATOR, workspace)
    translator = Translator.load(found["tokenizer"], found["encoder"], found["decoder"])
    # sixteen slots at most a file; a few more files than needed, as some slots stay empty
    rows = islice(read_jsonl(found["corpus"]), most // 4)
    vectors = slot_vectors(translator, (row["content"][:_CHARACTERS] for row in rows)).vectors
    order = torch.randperm(len(vectors), generator=generator(seed, "bench", "frames"))[:most]
    return vectors[order].contiguous(), f"run {run}"
