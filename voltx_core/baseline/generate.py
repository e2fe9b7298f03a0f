"""Writing with the baseline: batched, KV-cached, greedy or sampled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voltx_core.baseline.data import prompts_of
from voltx_core.baseline.model import Cache, VinciGPT
from voltx_core.translator.tokenizer import EOS, PAD

if TYPE_CHECKING:
    from voltx_core.translator.tokenizer import CodeTokenizer


@dataclass(slots=True)
class Completion:
    """What the model wrote after one prompt."""

    ids: list[int]
    """Without prompt and end token."""
    log_probability: float
    """Sum over the written tokens, end token included, at temperature 1."""
    ended: bool
    """Whether the end token came before the limit."""


@torch.no_grad()
def complete(
    model: VinciGPT,
    prompts: Sequence[Sequence[int]],
    *,
    limit: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
    end: int = EOS,
) -> list[Completion]:
    """Continue prompts of different lengths in one batch.

    Args:
        model: In evaluation mode.
        prompts: B lists of token ids, none empty.
        limit: Most tokens written a prompt; the context ends a text as well.
        temperature: 0 takes the likeliest token, above it samples.
        top_p: Samples among the fewest tokens that hold this share of the probability.
        generator: Source of the draws, on the CPU so that they do not depend on the device.
        end: Token that ends a text.

    Raises:
        ValueError: A prompt is empty or fills the whole context.

    Source: Holtzman et al. 2020 (nucleus sampling).
    """
    if not prompts:
        return []
    lengths = torch.tensor([len(p) for p in prompts])
    if int(lengths.min()) < 1 or int(lengths.max()) >= model.shape.context:
        raise ValueError(
            f"a prompt needs 1 to {model.shape.context - 1} tokens, got "
            f"{int(lengths.min())} to {int(lengths.max())}"
        )
    table = model.embedding.weight
    cache = Cache(model.shape, len(prompts), device=table.device, dtype=table.dtype)
    ids = torch.full((len(prompts), int(lengths.max())), PAD)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    position = lengths.to(table.device)  # [B] where the next token of each row goes
    logits = model(ids.to(table.device), cache=cache)[
        torch.arange(len(prompts), device=table.device), position - 1
    ]  # [B, V]
    written = [Completion([], 0.0, False) for _ in prompts]
    active = list(range(len(prompts)))
    for _ in range(limit):
        log_p = logits.float().log_softmax(-1)
        chosen = choose(log_p, temperature, top_p, generator)  # [B]
        scores = log_p.gather(1, chosen.unsqueeze(1)).squeeze(1).tolist()
        going: list[int] = []
        for at, (row, token) in enumerate(zip(active, chosen.tolist(), strict=True)):
            written[row].log_probability += scores[at]
            if token == end:
                written[row].ended = True
                continue
            written[row].ids.append(token)
            if lengths[row] + len(written[row].ids) < model.shape.context:
                going.append(at)
        if not going:
            break
        if len(going) < len(active):
            rows = torch.tensor(going, device=table.device)
            cache.keep(rows)
            chosen, position = chosen[rows], position[rows]
            active = [active[at] for at in going]
        logits = model(chosen.unsqueeze(1), positions=position.unsqueeze(1), cache=cache)[:, -1]
        position = position + 1
    return written


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
            temperature=temperature,
            top_p=top_p,
            generator=generator,
        )
        programs += [tokenizer.decode(completion.ids) for completion in completions]
    return programs


def choose(
    log_p: Tensor, temperature: float, top_p: float, generator: torch.Generator | None
) -> Tensor:
    """One token a row from log-probabilities ``[B, V]``; greedy at temperature 0."""
    if temperature == 0.0:
        return log_p.argmax(-1)
    ranked, order = (log_p / temperature).softmax(-1).sort(-1, descending=True)
    mass = ranked.cumsum(-1)
    kept = ranked.masked_fill(mass - ranked >= top_p, 0.0).cumsum(-1)
    draw = torch.rand(len(log_p), 1, generator=generator).to(log_p.device) * kept[:, -1:]
    # The draw may round up to the whole mass; the last kept token is then the one meant.
    place = torch.searchsorted(kept, draw, right=True).clamp(max=log_p.shape[1] - 1)
    last = (kept < kept[:, -1:]).sum(-1, keepdim=True)
    return order.gather(1, torch.minimum(place, last)).squeeze(1)
