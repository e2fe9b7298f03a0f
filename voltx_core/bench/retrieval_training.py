"""Training the translator's encoder to find functions by their description.

The encoder, its objective and the loop are those of stage 1.1; what is set here is what they are
asked for: contrast alone instead of reconstruction with a little contrast.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from voltx_core.bench.functions import Functions, Questions
from voltx_core.bench.session import BenchSession, steps_within
from voltx_core.config import VoltxConfig
from voltx_core.evaluation.retrieval import bag_scores, bm25_scores, retrieval_metrics
from voltx_core.training.loop import Batch, train
from voltx_core.training.randomness import seeded
from voltx_core.translator.objective import PairSet, info_nce, translator_loss
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator

CONTRAST_BATCH = 128
"""Rows of the contrastive loss that is reported: chance is ln 128 = 4.85."""
SCOPE = "encoder"
CUT = 2_000
"""Characters of a function that the tokenizer learns from."""


@dataclass(frozen=True, slots=True)
class TrainedEncoder:
    """A translator whose encoder was trained, and how that went.

    Attributes:
        translator: Its decoder is untrained.
        steps: Optimizer steps.
        seconds: Of training alone.
        pairs_per_s: Pairs trained on in a second.
        flops: Arithmetic of the training.
        cpu_s: CPU seconds of the training.
        curve: (step, loss).
        watched: (step, MRR on the held-out pool).
    """

    translator: Translator
    steps: int
    seconds: float
    pairs_per_s: float
    cpu_s: float
    flops: float
    curve: list[tuple[int, float]]
    watched: list[tuple[int, float]]


def train_encoder(
    functions: Functions,
    config: VoltxConfig,
    folder: Path,
    *,
    minutes: float | None,
    device: str,
    say: Callable[[str], object],
) -> TrainedEncoder:
    """Train on mined pairs for ``translator.steps`` steps, or about so many minutes.

    Args:
        functions: Its ``learn`` side is trained on; the pool is only watched.
        config: ``translator.objective`` should be ``contrastive``.
        folder: For the last checkpoint.
        minutes: Chooses the number of steps by the pace of the first few.
        device: Where to train.
        say: Takes lines of progress.
    """
    settings = config.translator
    session = BenchSession.open(config, folder, device=device, say=say)
    docs = [pair.docstring for pair in functions.learn]
    codes = [pair.code for pair in functions.learn]
    say(f"learning a vocabulary of {settings.vocabulary}")
    texts = docs + [code[:CUT] for code in codes]
    tokenizer = CodeTokenizer.train(texts, settings.vocabulary)
    with seeded(config.seed, SCOPE, "init"):
        translator = Translator.create(tokenizer, settings, texts=texts, device=device)
    say(f"reading {len(docs)} pairs")
    # Nothing is to be written: the decoder stays out of it.
    pairs = PairSet(tokenizer, docs, codes, settings, weights=torch.zeros(len(docs)))

    def loss(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return translator_loss(
            translator.encoder,
            translator.decoder,
            pairs,
            batch.rows,
            settings,
            batch.generator,
            device,
        )

    steps = settings.steps
    if minutes is not None:
        steps = steps_within(session, minutes, loss, items=len(docs), batch=settings.batch)
        translator.encoder.zero_grad()
    cpu_s = time.process_time()
    trained = train(
        session,
        scope=SCOPE,
        modules={"encoder": translator.encoder},
        loss=loss,
        items=len(docs),
        batch=settings.batch,
        steps=steps,
        optimizer=settings.optimizer,
        evaluate=lambda: _watch(translator, functions),
    )
    return TrainedEncoder(
        translator,
        steps,
        trained.seconds,
        steps * settings.batch / trained.seconds,
        time.process_time() - cpu_s,
        trained.flops,
        trained.curve,
        session.observer.curve(f"{SCOPE}/pool_mrr"),
    )


def on_pool(translator: Translator, functions: Functions) -> dict[str, dict[str, float]]:
    """Retrieval among the held-out functions by each method."""
    docs = [pair.docstring for pair in functions.pool]
    codes = [pair.code for pair in functions.pool]
    return _methods(translator, docs, codes, None)


def on_questions(
    translator: Translator, questions: Questions, codes: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Retrieval of the answers to real questions among ``codes`` by each method."""
    return _methods(translator, questions.texts, codes, questions.answers)


def contrastive_validation(
    translator: Translator, functions: Functions, temperature: float
) -> float | None:
    """Mean symmetric InfoNCE over batches of 128 held-out pairs; None for fewer pairs."""
    docs = translator.encode([pair.docstring for pair in functions.pool]).gist()
    codes = translator.encode([pair.code for pair in functions.pool]).gist()
    losses = [
        float(info_nce(codes[n : n + CONTRAST_BATCH], docs[n : n + CONTRAST_BATCH], temperature))
        for n in range(0, len(docs) - CONTRAST_BATCH + 1, CONTRAST_BATCH)
    ]
    return sum(losses) / len(losses) if losses else None


def _methods(
    translator: Translator,
    queries: Sequence[str],
    codes: Sequence[str],
    answers: Sequence[int] | None,
) -> dict[str, dict[str, float]]:
    import numpy as np

    right = None if answers is None else np.array(answers)
    ours = translator.encode(queries).gist() @ translator.encode(codes).gist().T
    scores = {
        "encoder": ours.double().cpu().numpy(),
        "BM25": bm25_scores(queries, codes),
        "bag of tokens": bag_scores(queries, codes),
    }
    return {name: retrieval_metrics(found, right) for name, found in scores.items()}


def _watch(translator: Translator, functions: Functions) -> dict[str, float]:
    """How the held-out pool does on the way."""
    docs = translator.encode([pair.docstring for pair in functions.pool]).gist()
    codes = translator.encode([pair.code for pair in functions.pool]).gist()
    found = retrieval_metrics((docs @ codes.T).double().cpu().numpy())
    return {"pool_mrr": found["mrr"]}
