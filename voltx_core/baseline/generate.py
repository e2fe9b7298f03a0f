"""Programs from the baseline."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from voltx_core.baseline.data import prompts_of
from voltx_core.translator.tokenizer import EOS
from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.writing import Sampling, complete

if TYPE_CHECKING:
    from voltx_core.translator.tokenizer import CodeTokenizer


def write_programs(
    model: VinciGPT,
    tokenizer: "CodeTokenizer",
    queries: Sequence[str],
    *,
    limit: int,
    batch: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Program for each query. Half of the context, at most, goes to the query; see ``complete``."""
    prompts = prompts_of(queries, tokenizer, model.shape.context // 2)
    programs: list[str] = []
    for start in range(0, len(prompts), batch):
        completions = complete(
            model,
            prompts[start : start + batch],
            limit=limit,
            end=(EOS,),
            sampling=Sampling(temperature=temperature, top_p=top_p),
            generator=generator,
        )
        programs += [tokenizer.decode(completion.ids) for completion in completions]
    return programs
