"""Writing with a transformer: batched, KV-cached, token by token, greedy or sampled."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voltx_core.vincigpt.model import Cache, VinciGPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen; the default takes the likeliest."""

    temperature: float = 0.0
    """0 is greedy, above it the probabilities are sharpened (< 1) or flattened (> 1)."""
    top_k: int | None = None
    """Only the k likeliest tokens are drawn from."""
    top_p: float = 1.0
    """Only the fewest tokens that hold this share of the probability are drawn from."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it is written."""

    row: int
    """Which prompt it continues."""
    id: int
    log_probability: float
    """At temperature 1."""


@dataclass(slots=True)
class Completion:
    """What the model wrote after one prompt."""

    ids: list[int]
    """Without prompt and end token."""
    log_probability: float
    """Sum over the written tokens, end token included, at temperature 1."""
    ended: bool
    """Whether the end token came before the limit."""


def complete(
    model: VinciGPT,
    prompts: Sequence[Sequence[int]],
    *,
    limit: int,
    end: Collection[int],
    sampling: Sampling = Sampling(),
    generator: torch.Generator | None = None,
    entries: int | None = None,
) -> list[Completion]:
    """Everything that ``write`` writes, prompt by prompt; the arguments are the same."""
    written = [Completion([], 0.0, False) for _ in prompts]
    for tokens in write(
        model,
        prompts,
        limit=limit,
        end=end,
        sampling=sampling,
        generator=generator,
        entries=entries,
    ):
        for token in tokens:
            completion = written[token.row]
            completion.log_probability += token.log_probability
            completion.ended = token.id in end
            if not completion.ended:
                completion.ids.append(token.id)
    return written


@torch.no_grad()
def write(
    model: VinciGPT,
    prompts: Sequence[Sequence[int]],
    *,
    limit: int,
    end: Collection[int],
    sampling: Sampling = Sampling(),
    generator: torch.Generator | None = None,
    entries: int | None = None,
) -> Iterator[list[Token]]:
    """Continue prompts of different lengths in one batch, a token a row at a time.

    Args:
        model: In evaluation mode.
        prompts: B lists of token ids, none empty.
        limit: Most tokens written a prompt; the context ends a text as well.
        end: Tokens that end a text.
        sampling: How tokens are chosen.
        generator: Source of the draws, on the CPU so that they do not depend on the device.
        entries: Tokens that exist; rows that pad the table are never written.

    Yields:
        The next token of every row that is not at its end; end tokens too.

    Raises:
        ValueError: A prompt is empty or fills the whole context.
    """
    if not prompts:
        return
    context = model.shape.context
    lengths = torch.tensor([len(p) for p in prompts])
    if int(lengths.min()) < 1 or int(lengths.max()) >= context:
        raise ValueError(
            f"a prompt needs 1 to {context - 1} tokens, got "
            f"{int(lengths.min())} to {int(lengths.max())}"
        )
    table = model.embedding.weight
    room = min(context, int(lengths.max()) + limit)
    cache = Cache(model.shape, len(prompts), room, device=table.device, dtype=table.dtype)
    ids = torch.zeros((len(prompts), int(lengths.max())), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    position = lengths.to(table.device)  # [B] where the next token of each row goes
    logits = model(ids.to(table.device), cache=cache)[
        torch.arange(len(prompts), device=table.device), position - 1
    ]  # [B, V]
    active = list(range(len(prompts)))
    for count in range(1, limit + 1):
        log_p = logits[:, :entries].float().log_softmax(-1)
        chosen = choose(log_p, sampling, generator)  # [B]
        scores = log_p.gather(1, chosen.unsqueeze(1)).squeeze(1).tolist()
        tokens = [
            Token(row, token, score)
            for row, token, score in zip(active, chosen.tolist(), scores, strict=True)
        ]
        yield tokens
        going = [
            at
            for at, token in enumerate(tokens)
            if token.id not in end and lengths[token.row] + count < context
        ]
        if not going or count == limit:
            return
        if len(going) < len(active):
            rows = torch.tensor(going, device=table.device)
            cache.keep(rows)
            chosen, position = chosen[rows], position[rows]
            active = [active[at] for at in going]
        logits = model(chosen.unsqueeze(1), positions=position.unsqueeze(1), cache=cache)[:, -1]
        position = position + 1


def choose(log_p: Tensor, sampling: Sampling, generator: torch.Generator | None) -> Tensor:
    """One token a row from log-probabilities ``[B, V]``.

    Source: Fan et al. 2018 (top-k), Holtzman et al. 2020 (nucleus sampling).
    """
    if sampling.temperature == 0.0:
        return log_p.argmax(-1)
    ranked, order = (log_p / sampling.temperature).softmax(-1).sort(-1, descending=True)
    if sampling.top_k is not None:
        ranked = ranked[:, : sampling.top_k]
        ranked = ranked / ranked.sum(-1, keepdim=True)
    mass = ranked.cumsum(-1)
    kept = ranked.masked_fill(mass - ranked >= sampling.top_p, 0.0).cumsum(-1)
    draw = torch.rand(len(log_p), 1, generator=generator).to(log_p.device) * kept[:, -1:]
    # The draw may round up to the whole mass; the last kept token is then the one meant.
    place = torch.searchsorted(kept, draw, right=True).clamp(max=ranked.shape[1] - 1)
    last = (kept < kept[:, -1:]).sum(-1, keepdim=True)
    return order.gather(1, torch.minimum(place, last)).squeeze(1)
