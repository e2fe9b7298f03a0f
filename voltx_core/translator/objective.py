"""What the translator is trained on: reconstruction through the slots, contrast, roles."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from voltx_core.config.translator import TranslatorConfig
from voltx_core.frame import TensorFrame, choose, normalise
from voltx_core.translator.decoder import SlotDecoder
from voltx_core.translator.encoder import CodeEncoder, QueryFeatures
from voltx_core.translator.roles import LABELLED, UNLABELLED, label_tokens
from voltx_core.translator.tokenizer import PAD, CodeTokenizer


class PairSet:
    """(query, code) pairs as padded token tensors, made once.

    Labelling the roles takes longest by far; ``label`` may do it bit by bit.

    Attributes:
        queries, codes: ids ``[N, L]`` with their masks.
        targets: ``<bos> code <eos>`` ids ``[N, L]`` for the decoder.
        roles: labels of the code tokens ``[N, L]``.
        weights: ``[N]`` how much writing each code counts; 0 leaves it to contrast and roles.
    """

    def __init__(
        self,
        tokenizer: CodeTokenizer,
        queries: Sequence[str],
        codes: Sequence[str],
        config: TranslatorConfig,
        *,
        weights: Tensor | None = None,
        label: Callable[[CodeTokenizer, Sequence[str], int], Tensor] = label_tokens,
    ) -> None:
        self.weights = torch.ones(len(queries)) if weights is None else weights
        self.queries, self.query_mask = tokenizer.encode(queries, config.encoder_tokens)
        self.codes, self.code_mask = tokenizer.encode(codes, config.encoder_tokens)
        self.targets, _ = tokenizer.encode(codes, config.decoder_tokens, bos_eos=True)
        self.roles = label(tokenizer, codes, self.codes.shape[1])

    def __len__(self) -> int:
        return len(self.queries)


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives (van den Oord et al. 2018; CLIP's form).

    Args:
        a, b: unit vectors ``[B, W]``; row n of each belong together.
        temperature: tau.
    """
    similarity = a @ b.T / temperature  # [B, B]
    truth = torch.arange(len(a), device=a.device)
    return 0.5 * (F.cross_entropy(similarity, truth) + F.cross_entropy(similarity.T, truth))


def add_slot_noise(frame: TensorFrame, most: float, generator: torch.Generator) -> TensorFrame:
    """Slots moved by noise whose norm is uniform in [0, most], one norm a frame, renormalised.

    The decoder must read what the soft core really delivers: frames that are slightly wrong.
    """
    b, s, w = frame.slots.shape
    norm = torch.rand(b, 1, 1, generator=generator) * most
    noise = torch.randn(b, s, w, generator=generator) * norm / w**0.5
    slots = normalise(frame.slots + noise.to(frame.slots.device)) * frame.mask.unsqueeze(-1)
    return TensorFrame(slots, frame.mask, frame.certainty)


def translator_loss(
    encoder: CodeEncoder,
    decoder: SlotDecoder,
    pairs: PairSet,
    rows: Tensor,
    config: TranslatorConfig,
    generator: torch.Generator,
    device: str,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a batch of pairs and its parts.

    ``reconstruction``: cross-entropy of the decoder on noisy slots, those of the code or, for
    ``translation_share`` of the rows, those of the query; plus small contrastive and role terms.
    ``contrastive``: the plan's 0.8 InfoNCE + 0.2 roles, with the decoder learning on detached
    slots of the code beside it.
    """
    ids, mask = _trim(pairs.codes[rows], pairs.code_mask[rows], device)
    code = encoder(ids, mask)
    asked_ids, asked_mask = _trim(pairs.queries[rows], pairs.query_mask[rows], device)
    query = encoder(asked_ids, asked_mask)
    contrast = info_nce(code.frame.gist(), query.frame.gist(), config.temperature)
    labels = pairs.roles[rows][:, : ids.shape[1]].to(device)
    role = _role_loss(code.role_logits, labels)
    frame = code.frame
    if config.objective == "contrastive":
        frame = TensorFrame(frame.slots.detach(), frame.mask, frame.certainty)
    elif config.translation_share:
        asked = torch.rand(len(rows), generator=generator) < config.translation_share
        frame = choose(asked.to(device), query.frame, frame)
    noisy = add_slot_noise(frame, config.slot_noise, generator)
    written = (pairs.weights[rows] > 0).nonzero().squeeze(1)
    asked = None
    if decoder.query_features:
        hidden = torch.rand(len(rows), generator=generator) < config.query_features_dropout
        asked = QueryFeatures(query.tokens, asked_mask).hide(hidden.to(device))
        asked = asked.rows(written.to(device))
    reconstruction = torch.zeros((), device=device)
    if len(written):
        reconstruction = reconstruction_loss(
            decoder,
            noisy[written.to(device)],
            pairs.targets[rows[written]],
            pairs.weights[rows[written]],
            asked,
        )
    if config.objective == "contrastive":
        loss = 0.8 * contrast + 0.2 * role + reconstruction
    else:
        loss = reconstruction + config.contrastive_weight * contrast + config.role_weight * role
    return loss, {
        "reconstruction": reconstruction.detach(),
        "contrastive": contrast.detach(),
        "role": role.detach(),
    }


def reconstruction_loss(
    decoder: SlotDecoder,
    frame: TensorFrame,
    targets: Tensor,
    weights: Tensor | None = None,
    asked: QueryFeatures | None = None,
) -> Tensor:
    """Mean cross-entropy of a text's tokens given a frame.

    Args:
        decoder: Writes from slots.
        frame: B frames.
        targets: ``<bos> ... <eos>`` ids ``[B, L]``, padded with 0.
        weights: ``[B]`` weight of each text's tokens; all equal by default.
        asked: Words of the B queries, for a decoder that reads them.
    """
    targets = targets[:, : int((targets != PAD).sum(1).max())].to(frame.slots.device)
    logits = decoder(frame.slots, frame.mask, targets[:, :-1], asked)
    return writing_loss(logits, targets[:, 1:], weights)


def writing_loss(logits: Tensor, wanted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of the tokens ``wanted`` ``[B, L]``, padding left out.

    Args:
        logits: ``[B, L, V]``.
        wanted: Next tokens, padded with 0.
        weights: ``[B]`` weight of each text's tokens; all equal by default.
    """
    loss = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), reduction="none")
    weight = (wanted != PAD).to(loss.dtype)
    if weights is not None:
        weight = weight * weights.to(weight).unsqueeze(1)
    return (loss * weight.flatten()).sum() / weight.sum().clamp(min=1e-6)


def _role_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy among the labelled roles only: mass on the free slots costs nothing."""
    if not bool((labels >= 0).any()):
        return logits.sum() * 0.0
    return F.cross_entropy(
        logits[..., :LABELLED].flatten(0, 1).float(), labels.flatten(), ignore_index=UNLABELLED
    )


def _trim(ids: Tensor, mask: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """Cut padding columns that no row of the batch uses."""
    length = max(1, int(mask.sum(1).max()))
    return ids[:, :length].to(device), mask[:, :length].to(device)
