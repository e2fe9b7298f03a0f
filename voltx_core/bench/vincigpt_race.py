"""The contenders of `voltx bench vincigpt`, on the same rows of the same stream.

``voltx`` goes through the project's own training loop, as a training does. The plain loops are
what a textbook writes: the same transformer, all logits at once, torch's own cross-entropy and
AdamW, causal attention over the whole row. The same steps of everybody are timed.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from voltx_core.bench.session import BenchSession
from voltx_core.config import VoltxConfig
from voltx_core.training.compilation import compiled
from voltx_core.training.loop import autocast, train
from voltx_core.training.randomness import generator, rows_of_step
from voltx_core.training.schedule import adamw
from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.objective import token_loss
from voltx_core.vincigpt.shape import Shape
from voltx_core.vincigpt.stream import StreamWriter, TokenStream

VOLTX, UNMASKED, EAGER, COMPILED = "voltx", "voltx, no mask", "plain eager", "plain compiled"
CONTENDERS = (VOLTX, UNMASKED, EAGER, COMPILED)
EOT = 0
DOCUMENT_TOKENS = 200
"""Mean length of a document of the stream; stories of TinyStories are about this long."""


@dataclass(frozen=True, slots=True)
class Track:
    """What every contender runs on."""

    config: VoltxConfig
    shape: Shape
    stream: TokenStream
    device: str
    warm: int
    """Uncounted steps of a turn."""
    steps: int
    """Counted steps of a turn."""

    @property
    def batch(self) -> int:
        """Rows of an optimizer step."""
        return self.config.vincigpt.batch_tokens // self.shape.context

    @property
    def tokens(self) -> int:
        """Tokens of an optimizer step."""
        return self.batch * self.shape.context

    def model(self) -> VinciGPT:
        made = VinciGPT(self.shape, generator=generator(0, "bench", "weights"))
        return made.to(self.device).train()


def track(config: VoltxConfig, folder: Path, device: str, *, warm: int, steps: int) -> Track:
    """A stream of random documents, and the sizes of a configuration."""
    settings = config.vincigpt
    shape = Shape.of(settings, settings.corpus.vocabulary, activation=settings.activation)
    draw = generator(0, "bench", "stream")
    wanted = (warm + steps + 1) * settings.batch_tokens
    with StreamWriter(folder, "bench", EOT) as writer:
        while writer.tokens < wanted:
            length = int(torch.empty(1).exponential_(1 / DOCUMENT_TOKENS, generator=draw)) + 1
            ids = torch.randint(1, settings.corpus.vocabulary, (length,), generator=draw)
            writer.add([ids.tolist()])
    stream = TokenStream(folder, "bench")
    stream.reside(device)
    return Track(config, shape, stream, device, warm, steps)


def turn(track: Track, name: str) -> float:
    """Tokens a second of one contender over ``track.steps`` steps, after the uncounted ones."""
    if name in (VOLTX, UNMASKED):
        return _by_the_loop(track, mask=name == VOLTX)
    return _plainly(track, compile_it=name == COMPILED)


class _Stopwatch:
    """Times a turn from the first counted step to the end of the last; the device has finished."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._began: float | None = None
        self._ended = 0.0

    def step(self, number: int) -> None:
        """The rows of a step are about to be read; may be told of it more than once."""
        if number == self._track.warm and self._began is None:
            self._began = self._now()

    def stop(self) -> dict[str, float]:
        """The last step is done; measures nothing else, so the loop may call it as a look."""
        self._ended = self._now()
        return {}

    @property
    def tok_s(self) -> float:
        """Tokens a second of the counted steps."""
        assert self._began is not None
        return self._track.tokens * self._track.steps / (self._ended - self._began)

    def _now(self) -> float:
        if self._track.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter()


def _by_the_loop(track: Track, *, mask: bool) -> float:
    model, settings, watch = track.model(), track.config.vincigpt, _Stopwatch(track)

    def loss(micro: Any) -> tuple[Tensor, dict[str, Tensor]]:
        watch.step(micro.step)
        ids = track.stream.batch(micro.rows, track.shape.context, track.device)
        return token_loss(model, ids, EOT, mask_documents=mask), {}

    with tempfile.TemporaryDirectory(prefix="voltx-bench-") as folder:
        train(
            _session(track, Path(folder)),
            scope="bench",
            modules={"model": model},
            loss=loss,
            items=track.stream.rows(track.shape.context),
            batch=track.batch,
            steps=track.warm + track.steps,
            optimizer=settings.optimizer,
            accumulation=settings.accumulation,
            evaluate=watch.stop,
            evaluate_every=0,  # after the last step, before its checkpoint
        )
    return watch.tok_s


def _plainly(track: Track, *, compile_it: bool) -> float:
    model, settings, watch = track.model(), track.config.vincigpt, _Stopwatch(track)
    with tempfile.TemporaryDirectory(prefix="voltx-bench-") as folder:
        session = _session(track, Path(folder))
    mover = adamw([model], settings.optimizer)
    rows = track.stream.rows(track.shape.context)
    with compiled({"model": model}, on=compile_it):
        for step in range(track.warm + track.steps):
            chosen = rows_of_step(0, "bench", step, track.batch, rows)
            for part in chosen.chunk(settings.accumulation):
                watch.step(step)
                ids = track.stream.batch(part, track.shape.context, track.device)
                with autocast(session):
                    logits = model(ids[:, :-1])
                    loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
                (loss / settings.accumulation).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.optimizer.clip_norm)
            mover.step()
            mover.zero_grad(set_to_none=True)
        watch.stop()
    return watch.tok_s


def hot_spots(track: Track, *, most: int = 12) -> list[tuple[str, float]]:
    """Where the time of voltx's steps goes: (operator or kernel, share of the device's time)."""
    from torch.profiler import ProfilerActivity, profile

    cuda = track.device.startswith("cuda")
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    with profile(activities=activities) as found:
        _by_the_loop(track, mask=True)
    times: dict[str, float] = {
        event.key: event.self_device_time_total if cuda else event.self_cpu_time_total
        for event in found.key_averages()
    }
    total = sum(times.values()) or 1.0
    ranked = sorted(times.items(), key=lambda pair: -pair[1])[:most]
    return [(name, spent / total) for name, spent in ranked]


def race(
    track: Track, *, repeat: int, on_turn: Callable[[str], object] = lambda _: None
) -> dict[str, list[float]]:
    """Tokens a second of every contender in each of ``repeat`` turns, which alternate."""
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(repeat):
        first = number % len(CONTENDERS)  # nobody always runs behind the same one
        for name in CONTENDERS[first:] + CONTENDERS[:first]:
            on_turn(name)
            found[name].append(turn(track, name))
    return found


def _session(track: Track, folder: Path) -> BenchSession:
    return BenchSession.open(track.config, folder, device=track.device, say=lambda _: None)
