"""One line a look: step, loss, lr, ms, tok/s, MFU.

MFU is arithmetic by a formula over the device's dense peak (training/peaks.py), once by 6N and
once with attention scores counted over the full square of the context (shape.py). A causal mask,
and documents that do not see each other, make the second one count work that nobody does; it is
the convention, and printed beside the other.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from voltx_core.training.session import Observer
from voltx_core.vincigpt.shape import Shape, flops_per_token

logger = logging.getLogger(__name__)


class TokenPace:
    """An observer that turns items a second into tokens a second and MFU, and passes all on.

    Args:
        behind: Who is told.
        scope: Name of the training run.
        shape: What is trained; an item is ``shape.context`` tokens.
        batch: Items a step.
        steps: Where the run ends.
        peak: FLOP/s of the device; None when unknown.
    """

    def __init__(
        self,
        behind: Observer,
        scope: str,
        shape: Shape,
        *,
        batch: int,
        steps: int,
        peak: float | None,
    ) -> None:
        self._behind, self._scope, self._shape = behind, scope, shape
        self._batch, self._steps, self._peak = batch, steps, peak
        self._measured: dict[str, float] = {}
        self.last: dict[str, float | None] = {}
        """``tok_s``, ``mfu_6n`` and ``mfu_full`` of the newest look."""

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self._behind.progress(done, total, unit, note)

    def figure(self, name: str, path: Path) -> None:
        self._behind.figure(name, path)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        speed = values.get(f"pace/{self._scope}/items_per_s")
        if speed is None:
            own = f"{self._scope}/"
            self._measured = {name.removeprefix(own): value for name, value in values.items()}
            self._behind.metrics(values, step)
            return
        self.last = utilisations(self._shape, speed * self._shape.context, self._peak)
        known = {name: value for name, value in self.last.items() if value is not None}
        pace = {f"pace/{self._scope}/{name}": value for name, value in known.items()}
        self._behind.metrics({**values, **pace}, step)
        logger.info(
            "step %d/%d  loss %.4f  lr %.2e  %.0f ms  %s tok/s  MFU %s (6N) %s (full attention)",
            step,
            self._steps,
            self._measured.get("loss", float("nan")),
            self._measured.get("lr", float("nan")),
            1_000 * self._batch / speed,
            f"{known['tok_s']:,.0f}",
            _percent(self.last["mfu_6n"]),
            _percent(self.last["mfu_full"]),
        )


def utilisations(shape: Shape, tok_s: float, peak: float | None) -> dict[str, float | None]:
    """``tok_s``, and MFU by both conventions; None where the peak is unknown."""
    found: dict[str, float | None] = {"tok_s": tok_s, "mfu_6n": None, "mfu_full": None}
    if peak:
        found["mfu_6n"] = tok_s * flops_per_token(shape) / peak
        found["mfu_full"] = tok_s * flops_per_token(shape, attended=shape.context) / peak
    return found


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
