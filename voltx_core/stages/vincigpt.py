"""8.2 vinciGPT: a small language model trained on the corpus of 8.1.

voltx vincigpt train --preset laptop
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltx_core.errors import DataError
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from torch import Tensor

    from voltx_core.training.state import Trained
    from voltx_core.vincigpt.model import VinciGPT
    from voltx_core.vincigpt.stream import TokenStream
    from voltx_core.vincigpt.token_pace import TokenPace
    from voltx_core.vincigpt.tokenizer import TextTokenizer

logger = logging.getLogger(__name__)

SPEC = StageSpec(
    number="8.2",
    name="vincigpt",
    title="vinciGPT",
    needs=("vincigpt_corpus",),
    makes=(Artifact("vincigpt", "vincigpt"),),
    reads=(
        *(f"vincigpt.{name}" for name in ("layers", "width", "heads", "kv_heads", "hidden")),
        *(f"vincigpt.{name}" for name in ("context", "rope_theta", "activation")),
        *(f"vincigpt.{name}" for name in ("mask_documents", "batch_tokens", "accumulation")),
        *(f"vincigpt.{name}" for name in ("steps", "evaluate_every", "samples", "sample_tokens")),
        *(f"vincigpt.{name}" for name in ("sample_temperature", "sample_top_p", "optimizer")),
    ),
    pool="gpu",
    targets=(
        Target("below_ngram", ">", 0.0, "validation loss below a 3-gram model's, in nats"),
        Target("mfu_6n", ">=", 0.55, "55 % of the device's dense peak, by 6N"),
    ),
    alone=True,
)
BEST_FILE, LAST_FILE = "best.safetensors", "last.safetensors"
TOKENIZER_FILE, SAMPLES_FILE = "tokenizer.json", "samples.md"
SCOPE = "vincigpt"


def run(run: StageRun) -> StageReport:
    """Train, look at the validation part and write samples on the way, keep best and last."""
    from voltx_core.evaluation.pictures import draw_loss
    from voltx_core.stages import vincigpt_corpus as corpus
    from voltx_core.training.loop import train
    from voltx_core.training.muon import MuonWithAdamW
    from voltx_core.training.randomness import generator
    from voltx_core.training.schedule import adamw
    from voltx_core.vincigpt.model import VinciGPT
    from voltx_core.vincigpt.objective import token_loss
    from voltx_core.vincigpt.shape import Shape, flops_per_token, parameter_count
    from voltx_core.vincigpt.stream import TokenStream
    from voltx_core.vincigpt.token_pace import TokenPace
    from voltx_core.vincigpt.tokenizer import TextTokenizer

    config, source = run.config.vincigpt, run.inputs["vincigpt_corpus"]
    tokenizer = TextTokenizer.load(source / corpus.TOKENIZER_FILE)
    facts = json.loads((source / corpus.FACTS_FILE).read_text())
    stream, unseen = TokenStream(source, "train"), TokenStream(source, "validation")
    _require_rows(stream, unseen, config.context)
    if stream.reside(run.device):
        logger.info("the stream of tokens is kept on the device")
    shape = Shape.of(config, tokenizer.entries, activation=config.activation)
    batch = config.batch_tokens // config.context
    model = VinciGPT(shape, generator=generator(run.config.seed, SCOPE, "weights"))
    model = model.to(run.device)
    pace = TokenPace(run.observer, SCOPE, shape, batch=batch, steps=config.steps, peak=_peak(run))
    looks = _Looks(run, model, tokenizer, unseen, pace)

    def loss(micro: Any) -> "tuple[Tensor, dict[str, Tensor]]":
        looks.step = micro.step + 1
        ids = stream.batch(micro.rows, config.context, run.device)
        return token_loss(model, ids, tokenizer.ends[0], mask_documents=config.mask_documents), {}

    trained = train(
        replace(run, observer=pace),
        scope=SCOPE,
        modules={"model": model},
        loss=loss,
        items=stream.rows(config.context),
        batch=batch,
        steps=config.steps,
        optimizer=config.optimizer,
        accumulation=config.accumulation,
        evaluate=looks.look,
        evaluate_every=config.evaluate_every,
        memory=looks,
        moved_by=MuonWithAdamW if config.optimizer.kind == "muon" else adamw,
    )
    flops = flops_per_token(shape) * config.batch_tokens * config.steps
    _write(run, model, tokenizer, looks, trained)
    draw_loss(trained.curve, run.figure("vincigpt_loss"), title="vinciGPT")
    run.observer.figure("vincigpt_loss", run.figure("vincigpt_loss"))
    return StageReport(
        metrics={
            "validation_loss": looks.losses[max(looks.losses)],
            "best_validation_loss": looks.losses[looks.best],
            "best_step": float(looks.best),
            "ngram_loss": facts["ngram_loss"],
            "below_ngram": facts["ngram_loss"] - looks.losses[looks.best],
            "train_loss": trained.curve[-1][1] if trained.curve else None,
            "parameters": float(parameter_count(shape)),
            "epochs": config.steps * batch / stream.rows(config.context),
            "flops": flops,
            "flops_counted": trained.flops,
            "mfu_6n": pace.last.get("mfu_6n"),
            "mfu_full": pace.last.get("mfu_full"),
        },
        counts={"steps": config.steps, "tokens": config.steps * config.batch_tokens},
        tables={"Validation": [{"step": s, "loss": v} for s, v in sorted(looks.losses.items())]},
        notes=[
            "mfu_6n and mfu_full are of the clock, at the newest look at the training; they need a "
            "device whose peak is known."
        ],
        timings_s={"training": trained.seconds, **_step_s(pace, config.batch_tokens)},
        flops=flops,
    )


def _require_rows(stream: "TokenStream", unseen: "TokenStream", context: int) -> None:
    """Both parts fill a row.

    Raises:
        DataError: One does not.
    """
    if min(stream.rows(context), unseen.rows(context)) == 0:
        raise DataError(
            f"The corpus has {len(stream)} tokens to train on and {len(unseen)} held out; each "
            f"part needs {context + 1}: vincigpt.context = {context} and the one that follows. "
            "Give more text (--texts), hold out more of it (vincigpt.corpus.validation_share), or "
            "choose a shorter vincigpt.context."
        )


def _step_s(pace: "TokenPace", tokens: int) -> dict[str, float]:
    """Seconds of a step at the newest look, which an earlier process may have taken."""
    speed = pace.last.get("tok_s")
    return {"step": tokens / speed} if speed else {}


class _Looks:
    """Validation losses, samples, the best weights and the pace, as far as training has come."""

    def __init__(
        self,
        run: StageRun,
        model: "VinciGPT",
        tokenizer: "TextTokenizer",
        unseen: "TokenStream",
        pace: "TokenPace",
    ) -> None:
        self._run, self._model = run, model
        self._tokenizer, self._unseen, self._pace = tokenizer, unseen, pace
        self.step = 0
        """Steps done when the next look is taken."""
        self.weights: dict[str, Tensor] = {}
        """The best ones."""
        self.losses: dict[int, float] = {}
        self.samples: dict[int, list[str]] = {}

    def tensors(self) -> "Mapping[str, Tensor]":
        return self.weights

    def meta(self) -> dict[str, Any]:
        return {
            "losses": list(self.losses.items()),
            "samples": list(self.samples.items()),
            "pace": self._pace.last,
        }

    def recall(self, tensors: "Mapping[str, Tensor]", meta: "Mapping[str, Any]") -> None:
        self.weights = dict(tensors)
        self.losses = {int(step): float(loss) for step, loss in meta["losses"]}
        self.samples = {int(step): list(texts) for step, texts in meta["samples"]}
        # A process that finds all steps done measures none; checkpoints of before had no pace.
        self._pace.last = dict(meta.get("pace", {}))

    @property
    def best(self) -> int:
        """The step with the lowest loss; of equal ones the first."""
        return min(self.losses, key=lambda step: (self.losses[step], step))

    def look(self) -> dict[str, float]:
        """Measure and write at the present step, eagerly: shapes differ from those of training."""
        import torch

        from voltx_core.training.loop import autocast
        from voltx_core.vincigpt.objective import held_out_loss

        config = self._run.config.vincigpt
        with torch.compiler.set_stance("force_eager"):
            with autocast(self._run):
                self.losses[self.step] = held_out_loss(
                    self._model,
                    self._unseen,
                    self._tokenizer.ends[0],
                    device=self._run.device,
                    mask_documents=config.mask_documents,
                )
            self.samples[self.step] = self._write()
        for text in self.samples[self.step]:
            logger.info("step %d writes: %s", self.step, text)
        if self.best == self.step:
            state = self._model.state_dict()
            self.weights = {name: tensor.detach().clone() for name, tensor in state.items()}
        return {"validation_loss": self.losses[self.step]}

    def _write(self) -> list[str]:
        from voltx_core.training.randomness import generator
        from voltx_core.vincigpt.writing import Sampling, complete

        config = self._run.config.vincigpt
        written = complete(
            self._model,
            [[self._tokenizer.ends[0]]] * config.samples,
            limit=min(config.sample_tokens, config.context - 1),
            end=self._tokenizer.ends,
            sampling=Sampling(temperature=config.sample_temperature, top_p=config.sample_top_p),
            generator=generator(self._run.config.seed, SCOPE, "samples", self.step),
            entries=self._tokenizer.entries,
        )
        return [self._tokenizer.decode(completion.ids) for completion in written]


def _write(
    run: StageRun,
    model: "VinciGPT",
    tokenizer: "TextTokenizer",
    looks: _Looks,
    trained: "Trained",
) -> None:
    folder: Path = run.output("vincigpt")
    facts = {"steps": trained.steps, "validation_loss": looks.losses[max(looks.losses)]}
    model.save(folder / LAST_FILE, training=facts)
    model.load_state_dict(looks.weights)
    facts = {"steps": looks.best, "validation_loss": looks.losses[looks.best]}
    model.save(folder / BEST_FILE, training=facts)
    (folder / TOKENIZER_FILE).write_text(tokenizer.text())
    parts = [
        f"## Step {step}, validation loss {looks.losses[step]:.4f}\n\n" + "\n\n---\n\n".join(texts)
        for step, texts in sorted(looks.samples.items())
    ]
    (folder / SAMPLES_FILE).write_text("\n\n".join(parts) + "\n")


def _peak(run: StageRun) -> float | None:
    import torch

    from voltx_core.training.loop import precision
    from voltx_core.training.peaks import dense_peak

    if not run.device.startswith("cuda"):
        return None
    return dense_peak(torch.cuda.get_device_name(), precision(run))
