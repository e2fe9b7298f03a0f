"""The one training loop.

Every gradient stage calls ``train`` with its modules and its loss. The loop owns what must be the
same everywhere: the order of the data, the schedule, clipping, checkpoints, interruption,
out-of-memory, logging, and the count of arithmetic.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from voltx_core.config.schema import OptimizerConfig
from voltx_core.errors import Interrupted, StageError
from voltx_core.training.randomness import generator, rows_of_step
from voltx_core.training.schedule import adamw, learning_rate
from voltx_core.training.session import Session

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one (micro-)step trains on."""

    step: int
    rows: Tensor
    """``[b]`` indices of items; a pure function of (seed, scope, step)."""
    generator: torch.Generator
    """Randomness of this micro-step, derived from (seed, scope, step)."""


Loss = Callable[[Batch], tuple[Tensor, dict[str, Tensor]]]
"""Mean loss over the rows of a batch, and detached scalars to log."""


@dataclass(slots=True)
class Trained:
    """How a training run went."""

    steps: int
    seconds: float
    flops: float
    """Counted on the first step (forward and backward), times the steps."""
    curve: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss) at every logged step."""


def train(
    run: Session,
    *,
    scope: str,
    modules: Mapping[str, nn.Module],
    loss: Loss,
    items: int,
    batch: int,
    steps: int,
    optimizer: OptimizerConfig,
    accumulation: int = 1,
) -> Trained:
    """Train ``modules`` for ``steps`` optimizer steps, resuming where an earlier process stopped.

    Args:
        run: The stage this belongs to: checkpoints, observer, stop flag, device, seed.
        scope: Name of this training run within the stage; names its checkpoints and its data.
        modules: What is trained (and saved), by name. Parameters that do not require gradients
            stay as they are.
        loss: Mean loss of a micro-batch.
        items: Size of the data set that rows index.
        batch: Items of one optimizer step.
        steps: Optimizer steps.
        optimizer: AdamW and its schedule.
        accumulation: Micro-batches a step; doubled whenever memory runs out.

    Raises:
        Interrupted: A stop was asked for; the state was saved.
        StageError: The loss is not finite, or memory does not suffice for a single item.
    """
    seed, log_every = run.config.seed, run.config.compute.log_every
    modules = dict(modules)
    adam = adamw(modules.values(), optimizer)
    parameters = [p for group in adam.param_groups for p in group["params"]]
    state = _restore(run, scope, modules, adam)
    trained = Trained(steps, state.seconds, state.flops, state.curve)
    accumulation = max(accumulation, state.accumulation)
    for module in modules.values():
        module.train()
    started = time.monotonic() - state.seconds
    pending: dict[str, Tensor] = {}
    step = state.step
    while step < steps:
        if run.stop or run.checkpoints.due():
            trained.seconds = time.monotonic() - started
            wait = bool(run.stop)
            _save(run, scope, step, modules, adam, trained, accumulation, wait=wait)
            if run.stop:
                raise Interrupted(f"{run.stop.reason}; {scope} saved at step {step} of {steps}")
        rows = rows_of_step(seed, scope, step, batch, items)
        counter = FlopCounterMode(display=False) if step == 0 else None
        try:
            with counter or nullcontext():
                total, pending = _gradients(run, scope, step, rows, loss, accumulation)
        except Interrupted:  # the loss itself was interrupted, while it judged or waited
            trained.seconds = time.monotonic() - started
            adam.zero_grad(set_to_none=True)
            _save(run, scope, step, modules, adam, trained, accumulation)
            raise
        except torch.OutOfMemoryError as error:
            accumulation = _halve(error, scope, rows, accumulation, run)
            adam.zero_grad(set_to_none=True)
            continue
        if counter:
            trained.flops = float(counter.get_total_flops()) * steps
        norm = nn.utils.clip_grad_norm_(parameters, optimizer.clip_norm, foreach=True)
        rate = learning_rate(optimizer, step, steps)
        for group in adam.param_groups:
            group["lr"] = rate
        # A step with a non-finite gradient would poison the weights; the skip needs no host sync.
        _drop_unless_finite(parameters, norm)
        adam.step()
        adam.zero_grad(set_to_none=True)
        step += 1
        if step % log_every == 0 or step == steps:
            value = float(total)
            if not math.isfinite(value):
                raise StageError(
                    f"The loss of {scope} is not finite at step {step}. The last checkpoint is "
                    f"intact; lower the learning rate ({rate:.2e}) and start the stage again."
                )
            trained.curve.append((step, value))
            logged = {name: float(tensor) for name, tensor in pending.items()}
            run.observer.metrics(
                {f"{scope}/loss": value, f"{scope}/lr": rate, f"{scope}/grad_norm": float(norm)}
                | {f"{scope}/{name}": number for name, number in logged.items()},
                step,
            )
            run.observer.progress(step, steps, "steps", scope)
    trained.seconds = time.monotonic() - started
    if state.step < steps:
        _save(run, scope, steps, modules, adam, trained, accumulation)
    for module in modules.values():
        module.eval()
    return trained


def autocast(run: Session) -> AbstractContextManager[None]:
    """The precision of a stage: bfloat16 where the device has it, unless configured otherwise."""
    precision = run.config.compute.precision
    if precision == "auto":
        precision = "bfloat16" if run.device.startswith("cuda") else "float32"
    if precision == "float32":
        return nullcontext()
    return torch.autocast(run.device.split(":")[0], torch.bfloat16)


def _gradients(
    run: Session, scope: str, step: int, rows: Tensor, loss: Loss, accumulation: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Accumulate the gradient of one step; returns the mean loss and the logged scalars."""
    total = torch.zeros((), device=run.device)
    logged: dict[str, Tensor] = {}
    for part, chunk in enumerate(rows.chunk(accumulation)):
        source = generator(run.config.seed, scope, "step", step, part)
        with autocast(run):
            value, scalars = loss(Batch(step, chunk, source))
        share = len(chunk) / len(rows)
        (value * share).backward()
        total += value.detach() * share
        for name, scalar in scalars.items():
            logged[name] = logged.get(name, torch.zeros_like(total)) + scalar.detach() * share
    return total, logged


def _drop_unless_finite(parameters: list[nn.Parameter], norm: Tensor) -> None:
    finite = torch.isfinite(norm)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad = torch.where(finite, parameter.grad, torch.zeros_like(parameter.grad))


def _halve(error: Exception, scope: str, rows: Tensor, accumulation: int, run: Session) -> int:
    """Twice the micro-batches: the effective batch and its data stay the same."""
    if accumulation >= len(rows):
        raise StageError(
            f"{scope} does not fit into memory even with one item at a time ({error}). Choose a "
            "smaller model or preset, or a device with more memory."
        ) from error
    if run.device.startswith("cuda"):
        torch.cuda.empty_cache()
    logger.warning(
        "%s ran out of memory; micro-batch is now %d", scope, -(-len(rows) // (accumulation * 2))
    )
    return accumulation * 2


@dataclass(slots=True)
class _State:
    step: int = 0
    seconds: float = 0.0
    flops: float = 0.0
    accumulation: int = 1
    curve: list[tuple[int, float]] = field(default_factory=list)


def _save(
    run: Session,
    scope: str,
    step: int,
    modules: Mapping[str, nn.Module],
    adam: torch.optim.AdamW,
    trained: Trained,
    accumulation: int,
    *,
    wait: bool = True,
) -> None:
    tensors = {
        f"module.{name}.{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, moments in adam.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{key}": value for key, value in moments.items()}
    run.checkpoints.save(
        scope,
        step,
        tensors,
        {
            "seconds": trained.seconds,
            "flops": trained.flops,
            "accumulation": accumulation,
            "curve": trained.curve,
        },
        wait=wait,
    )


def _restore(
    run: Session, scope: str, modules: Mapping[str, nn.Module], adam: torch.optim.AdamW
) -> _State:
    saved = run.checkpoints.restore(scope, run.device)
    if saved is None:
        return _State()
    for name, module in modules.items():
        prefix = f"module.{name}."
        module.load_state_dict(
            {k.removeprefix(prefix): v for k, v in saved.tensors.items() if k.startswith(prefix)}
        )
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in saved.tensors.items():
        if key.startswith("adam."):
            _, index, name = key.split(".", 2)
            # AdamW keeps its step counter on the CPU.
            moments.setdefault(int(index), {})[name] = value.cpu() if name == "step" else value
    adam.load_state_dict({"state": moments, "param_groups": adam.state_dict()["param_groups"]})
    logger.info("%s goes on at step %d", scope, saved.step)
    meta = saved.meta
    return _State(
        step=saved.step,
        seconds=meta["seconds"],
        flops=meta["flops"],
        accumulation=meta["accumulation"],
        curve=[(int(s), float(v)) for s, v in meta["curve"]],
    )
