"""The one training loop.

Every gradient stage calls ``train`` with its modules and its loss. The loop owns what must be the
same everywhere: the order of the data, the schedule, clipping, checkpoints, interruption,
out-of-memory, evaluation, logging, and the count of arithmetic.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.errors import Interrupted, StageError
from voltx_core.training.average import Average
from voltx_core.training.compilation import compiled, wanted
from voltx_core.training.pace import Pace
from voltx_core.training.randomness import generator, rows_of_step
from voltx_core.training.ranks import Ranks
from voltx_core.training.schedule import adamw, learning_rate
from voltx_core.training.session import Session
from voltx_core.training.state import Memory, Optimizer, Trained, TrainingState

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
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int | None = None,
    memory: Memory | None = None,
    moved_by: Callable[[Collection[nn.Module], OptimizerConfig], Optimizer] = adamw,
) -> Trained:
    """Train ``modules`` for ``steps`` optimizer steps, resuming where an earlier process stopped.

    With ``optimizer.ema_decay`` the modules end with the averaged weights, and are evaluated with
    them on the way.

    Args:
        run: The stage this belongs to: checkpoints, observer, stop flag, device, seed.
        scope: Name of this training run within the stage; names its checkpoints and its data.
        modules: What is trained (and saved), by name. Parameters that do not require gradients
            stay as they are.
        loss: Mean loss of a micro-batch.
        items: Size of the data set that rows index.
        batch: Items of one optimizer step.
        steps: Optimizer steps.
        optimizer: The optimizer's settings and its schedule.
        accumulation: Micro-batches a step; doubled whenever memory runs out.
        evaluate: Called every ``compute.evaluate_every`` steps and at the end, with the modules
            in evaluation mode; what it measures is logged.
        evaluate_every: Steps between evaluations, where a stage decides them itself.
        memory: What evaluations remember; saved with every checkpoint.
        moved_by: Makes the optimizer.

    Raises:
        Interrupted: A stop was asked for; the state was saved.
        StageError: The loss is not finite, or memory does not suffice for a single item.
    """
    compute = run.config.compute
    if evaluate_every is None:
        evaluate_every = compute.evaluate_every
    mover = moved_by(modules.values(), optimizer)
    parameters = [p for group in mover.param_groups for p in group["params"]]
    average = Average(modules, optimizer.ema_decay) if optimizer.ema_decay else None
    trained = Trained(steps)
    state = TrainingState(
        scope, dict(modules), mover, average, trained, accumulation, memory=memory
    ).restore(run)
    ranks = run.ranks
    _require_shares(ranks, scope, batch, state.accumulation)
    ranks.meet()  # nobody saves before everybody has read
    started, resumed_at = time.monotonic() - trained.seconds, state.step
    pace = Pace(scope, run.device, precision(run), batch=batch, step=state.step, steps=steps)
    _mode(modules, training=True)
    with compiled(modules, on=wanted(compute.compile, run.device)):
        while state.step < steps:
            step = state.step
            stop = ranks.any(bool(run.stop))
            if stop or run.checkpoints.due():
                trained.seconds = time.monotonic() - started
                state.save(run, wait=stop)
                if stop:
                    raise Interrupted(f"{run.stop.reason}; {scope} saved at step {step} of {steps}")
            rows = rows_of_step(run.config.seed, scope, step, batch, items)
            counter = FlopCounterMode(display=False) if step == 0 else None
            try:
                with _counting(counter):
                    total, scalars = _gradients(run, scope, step, rows, loss, state.accumulation)
            except Interrupted:  # the loss itself was interrupted, while it judged or waited
                trained.seconds = time.monotonic() - started
                mover.zero_grad(set_to_none=True)
                state.save(run)
                raise
            except torch.OutOfMemoryError as error:
                _refuse_together(ranks, scope, error)
                mover.zero_grad(set_to_none=True)
                state.accumulation = _halve(error, scope, rows, state.accumulation, run)
                state.save(run)  # at once: the next start must not run out of memory again
                continue
            if counter:
                trained.flops = float(counter.get_total_flops()) * ranks.count * steps
            ranks.sum_gradients(parameters)
            norm = nn.utils.clip_grad_norm_(parameters, optimizer.clip_norm, foreach=True)
            rate = learning_rate(optimizer, step, steps)
            for group in mover.param_groups:
                group["lr"] = rate
            # A non-finite gradient would poison the weights; the skip needs no host sync.
            _drop_unless_finite(parameters, norm)
            mover.step()
            mover.zero_grad(set_to_none=True)
            if average is not None:
                average.update()
            step = state.step = step + 1
            if step % compute.log_every == 0 or step == steps:
                value = _finite(total, scope, step, rate)
                trained.curve.append((step, value))
                measured = {"loss": value, "lr": rate, "grad_norm": float(norm)}
                measured |= {name: float(scalar) for name, scalar in scalars.items()}
                run.observer.metrics({f"{scope}/{k}": v for k, v in measured.items()}, step)
                run.observer.metrics(pace.look(step, trained.flops / steps), step)
                run.observer.progress(step, steps, "steps", scope)
            if ranks.leads and evaluate and _evaluation_due(evaluate_every, step, steps):
                found = _evaluated(evaluate, modules, average)
                run.observer.metrics({f"{scope}/{k}": v for k, v in found.items()}, step)
    trained.seconds = time.monotonic() - started
    if resumed_at < steps:
        state.save(run)
    if average is not None:
        average.install()
    _mode(modules, training=False)
    return trained


def precision(run: Session) -> str:
    """``bfloat16`` where the device has it, unless configured otherwise; else ``float32``."""
    setting: str = run.config.compute.precision
    if setting == "auto":
        return "bfloat16" if run.device.startswith("cuda") else "float32"
    return setting


def autocast(run: Session) -> AbstractContextManager[None]:
    """The precision of a stage."""
    if precision(run) == "float32":
        return nullcontext()
    return torch.autocast(run.device.split(":")[0], torch.bfloat16)


def _gradients(
    run: Session, scope: str, step: int, rows: Tensor, loss: Loss, accumulation: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Accumulate the gradient of one step; returns the mean loss and the logged scalars."""
    total = torch.zeros((), device=run.device)
    logged: dict[str, Tensor] = {}
    for part, chunk in enumerate(rows.chunk(accumulation)):
        if not run.ranks.takes(part):
            continue
        source = generator(run.config.seed, scope, "step", step, part)
        with autocast(run):
            value, scalars = loss(Batch(step, chunk, source))
        share = len(chunk) / len(rows)
        (value * share).backward()
        total += value.detach() * share
        for name, scalar in scalars.items():
            logged[name] = logged.get(name, torch.zeros_like(total)) + scalar.detach() * share
    summed = run.ranks.sum_scalars({**logged, "": total})
    return summed.pop(""), summed


def _counting(counter: FlopCounterMode | None) -> AbstractContextManager[object]:
    """Count the arithmetic of a step, which is run eagerly for it."""
    if counter is None:
        return nullcontext()
    stack = ExitStack()
    stack.enter_context(torch.compiler.set_stance("force_eager"))
    stack.enter_context(counter)
    return stack


def _drop_unless_finite(parameters: list[nn.Parameter], norm: Tensor) -> None:
    broken = ~torch.isfinite(norm)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.masked_fill_(broken, 0.0)  # in place: a copy may be several GB


def _finite(total: Tensor, scope: str, step: int, rate: float) -> float:
    """The loss as a number.

    Raises:
        StageError: It is not finite.
    """
    value = float(total)
    if not math.isfinite(value):
        raise StageError(
            f"The loss of {scope} is not finite at step {step}. The last checkpoint is intact; "
            f"lower the learning rate ({rate:.2e}) and start the stage again."
        )
    return value


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


def _require_shares(ranks: Ranks, scope: str, batch: int, accumulation: int) -> None:
    """Every rank has as much to do in every step.

    Raises:
        StageError: The micro-batches cannot be dealt out evenly.
    """
    parts = len(torch.arange(batch).chunk(accumulation))
    if parts % ranks.count:
        raise StageError(
            f"{scope} has {parts} micro-batches a step for {ranks.count} processes. Choose an "
            "accumulation that they divide, and a batch that it divides."
        )


def _refuse_together(ranks: Ranks, scope: str, error: Exception) -> None:
    """Ranks that wait for each other's gradients cannot halve their micro-batches one by one."""
    if ranks.count > 1:
        raise StageError(
            f"{scope} ran out of memory on rank {ranks.rank} of {ranks.count} ({error}). Raise its "
            "accumulation: the micro-batches get smaller, the effective batch stays."
        ) from error


def _evaluation_due(every: int, step: int, steps: int) -> bool:
    return step == steps or (every > 0 and step % every == 0)


def _evaluated(
    evaluate: Callable[[], Mapping[str, float]],
    modules: Mapping[str, nn.Module],
    average: Average | None,
) -> Mapping[str, float]:
    """What an evaluation measures on the weights that a stage would end with now."""
    _mode(modules, training=False)
    with average.installed() if average else nullcontext():
        found = evaluate()
    _mode(modules, training=True)
    return found


def _mode(modules: Mapping[str, nn.Module], *, training: bool) -> None:
    for module in modules.values():
        module.train(training)
