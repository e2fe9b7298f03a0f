"""A training step of 5.1 at the plan's sizes: voltx's loop beside a plain eager one.

Frames and programs are random, since speed does not depend on what is learned; widths, decoder,
vocabulary and lengths are the plan's. Both contenders train with the same loss on the same rows
in the same precision. The plain loop is what a textbook writes: no compilation, no checkpoints.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from voltx_core.bench.session import BenchSession, Console
from voltx_core.config import VoltxConfig
from voltx_core.config.scaling import SizeConfig
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.data.problem import Problem
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.scaling.growth import grown_config
from voltx_core.soft_core.fitting import FrameSet
from voltx_core.soft_core.flow_matching import soft_core_loss
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.loop import Batch, autocast, precision, train
from voltx_core.training.peaks import dense_peak, utilisation
from voltx_core.training.randomness import generator, rows_of_step, seeded
from voltx_core.training.schedule import adamw
from voltx_core.translator.decoder import SlotDecoder
from voltx_core.translator.tokenizer import BOS, CodeTokenizer
from voltx_core.translator.translator import Translator

NAMES = ("51m", "200m", "500m")
"""The plan's names of its three sizes."""
BODIES = ("mlp", "fno")
VOLTX, EAGER = "voltx", "plain eager"
CONTENDERS = (VOLTX, EAGER)
SCOPE = "bench"
BYTES_A_PARAMETER = 24
"""Weights, gradients, two moments, and what updating and clipping them all at once takes."""
Moment = tuple[float, float]
"""Seconds of the wall clock, and of this process at work."""
FIRST_TOKEN = 4
"""Tokens below have meanings of their own."""


@dataclass(frozen=True, slots=True)
class Track:
    """What every contender runs on.

    Attributes:
        config: The plan's.
        translator: Frozen and untrained; its decoder grades frames.
        frames: Random problems.
        device: ``cuda`` or ``cpu``.
        folder: An empty one.
        warm: Uncounted steps of a turn.
        steps: Counted steps of a turn.
    """

    config: VoltxConfig
    translator: Translator
    frames: FrameSet
    device: str
    folder: Path
    warm: int
    steps: int

    @property
    def batch(self) -> int:
        """Problems of an optimizer step."""
        return self.config.scaling.batch

    def loss(self, core: SoftCore) -> Callable[[Batch], tuple[torch.Tensor, dict[str, Any]]]:
        """What both contenders minimise."""

        def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
            lesson = self.frames[batch.rows]
            return soft_core_loss(core, self.translator, lesson, core.config, batch.generator)

        return loss


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contender needed.

    Attributes:
        step_ms: Milliseconds a step, of the counted ones.
        cpu_ms: Of them, those that this process was at work: on a busy machine the better measure.
        memory_mib: Peak of the device; None on a CPU, where other turns live in the same process.
    """

    step_ms: float
    cpu_ms: float
    memory_mib: float | None


def ladder_sizes(config: VoltxConfig) -> dict[str, SizeConfig]:
    """Width and depth of each of the plan's sizes, by name."""
    first = SizeConfig(width=config.soft_core.width, blocks=config.soft_core.blocks)
    return dict(zip(NAMES, (first, *config.scaling.ladder), strict=True))


def track(config: VoltxConfig, folder: Path, device: str, *, warm: int, steps: int) -> Track:
    """Random problems and a frozen decoder of the configuration's sizes."""
    t, count = config.translator, 4 * config.scaling.batch
    tokenizer = CodeTokenizer.train(["def solve(x):\n    return x\n"], 300)
    with seeded(0, SCOPE, "decoder"):
        decoder = SlotDecoder(
            vocabulary=t.vocabulary,
            slot_width=t.slot_width,
            width=t.decoder_width,
            blocks=t.decoder_blocks,
            heads=t.decoder_heads,
            max_tokens=t.decoder_tokens,
        )
        translator = Translator(
            tokenizer, Translator.create(tokenizer, t).encoder, decoder, device=device
        )
    for module in (translator.encoder, decoder):
        module.eval().requires_grad_(False)
    draw = generator(0, SCOPE, "frames")
    query, solution = (
        TensorFrame.of(torch.randn(count, SLOTS, t.slot_width, generator=draw).to(device))
        for _ in range(2)
    )
    targets = torch.randint(
        FIRST_TOKEN, t.vocabulary, (count, t.decoder_tokens), generator=draw
    ).to(device)
    targets[:, 0] = BOS
    nobody = Problem(id="random", query="", solution="", tests=())
    frames = FrameSet(query, solution, targets, targets[:, :1], (nobody,) * count)
    return Track(config, translator, frames, device, folder, warm, steps)


def missing_memory(parameters: int, device: str) -> str | None:
    """Why so many parameters cannot be trained here; None when they can."""
    if device.startswith("cuda"):
        free = torch.cuda.mem_get_info()[0]
    else:
        import psutil

        free = psutil.virtual_memory().available
    needed = parameters * BYTES_A_PARAMETER
    if needed < 0.9 * free:
        return None
    return f"training takes about {needed / 1e9:.0f} GB and {free / 1e9:.0f} GB are free"


def parameters_of(config: SoftCoreConfig, slot_width: int) -> int:
    """Parameters of a core, without making it."""
    with torch.device("meta"):
        return sum(p.numel() for p in SoftCore(slot_width, config).parameters())


def core_config(config: VoltxConfig, size: SizeConfig, body: str) -> SoftCoreConfig:
    """The plan's soft core at another size, with one of the two bodies."""
    return grown_config(config.soft_core, size).model_copy(update={"body": body})


def turn(track: Track, config: SoftCoreConfig, name: str) -> Turn:
    """Train a fresh core of a size by one contender."""
    on_gpu = track.device.startswith("cuda")
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with seeded(0, SCOPE, "core"):
        core = SoftCore(track.config.translator.slot_width, config).to(track.device).train()
    began: list[Moment] = []
    run = _by_the_loop if name == VOLTX else _plainly
    ended = run(track, core, began)
    wall, cpu = (
        1_000 * (end - begin) / track.steps for begin, end in zip(began[0], ended, strict=True)
    )
    memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None
    return Turn(wall, cpu, memory)


def flops_a_step(track: Track, config: SoftCoreConfig) -> float:
    """Arithmetic of the counted steps, forward and backward, counted and averaged."""
    with seeded(0, SCOPE, "core"):
        core = SoftCore(track.config.translator.slot_width, config).to(track.device).train()
    with FlopCounterMode(display=False) as counter:
        for step in range(track.warm, track.warm + track.steps):
            _accumulate(track, core, step, [])
            core.zero_grad(set_to_none=True)
    return counter.get_total_flops() / track.steps


def mfu(track: Track, config: SoftCoreConfig, step_ms: float) -> tuple[float | None, str]:
    """Share of the device's peak that the arithmetic of a step makes use of, or why not known."""
    if not track.device.startswith("cuda"):
        return None, "no CUDA device here, and the peak of a CPU is not known"
    name = torch.cuda.get_device_name()
    peak = dense_peak(name, precision(_session(track)))
    if peak is None:
        return None, f"the peak of {name} is not in the table"
    return utilisation(flops_a_step(track, config), step_ms / 1_000, peak), ""


def _by_the_loop(track: Track, core: SoftCore, began: list[Moment]) -> Moment:
    ended: list[Moment] = []
    loss = track.loss(core)

    def watched(batch: Batch) -> tuple[torch.Tensor, dict[str, Any]]:
        _note(track, batch.step, began)
        return loss(batch)

    def stop() -> dict[str, float]:
        ended.append(_now(track))
        return {}

    train(
        _session(track),
        scope=SCOPE,
        modules={"core": core},
        loss=watched,
        items=len(track.frames),
        batch=track.batch,
        steps=track.warm + track.steps,
        optimizer=track.config.scaling.optimizer,
        accumulation=track.config.scaling.accumulation,
        evaluate=stop,
        evaluate_every=0,  # after the last step
    )
    return ended[0]


def _plainly(track: Track, core: SoftCore, began: list[Moment]) -> Moment:
    mover = adamw([core], track.config.scaling.optimizer)
    for step in range(track.warm + track.steps):
        _accumulate(track, core, step, began)
        clip = track.config.scaling.optimizer.clip_norm
        torch.nn.utils.clip_grad_norm_(core.parameters(), clip)
        mover.step()
        mover.zero_grad(set_to_none=True)
    return _now(track)


def _accumulate(track: Track, core: SoftCore, step: int, began: list[Moment]) -> None:
    """The gradient of one step, on the rows and draws that the loop gives it."""
    loss, session = track.loss(core), _session(track)
    rows = rows_of_step(0, SCOPE, step, track.batch, len(track.frames))
    for part, chosen in enumerate(rows.chunk(track.config.scaling.accumulation)):
        _note(track, step, began)
        with autocast(session):
            value, _ = loss(Batch(step, chosen, generator(0, SCOPE, "step", step, part)))
        (value * len(chosen) / len(rows)).backward()


def _note(track: Track, step: int, began: list[Moment]) -> None:
    if step == track.warm and not began:
        began.append(_now(track))


def _now(track: Track) -> Moment:
    if track.device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


class _Forgetful(Checkpoints):
    """Several GB that nobody will read are not written."""

    def due(self) -> bool:
        return False

    def save(self, *_: Any, **__: Any) -> None: ...


def _session(track: Track) -> BenchSession:
    unheard = Console(say=lambda _: None)
    return BenchSession(track.config, track.device, _Forgetful(track.folder), unheard)
