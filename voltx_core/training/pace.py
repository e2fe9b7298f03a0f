"""How fast a training run goes, how well it uses the device, and when it will be done."""

import logging
import resource
import time

import torch

from voltx_core.training.peaks import dense_peak, utilisation

logger = logging.getLogger(__name__)

MIB = 2**20


class Pace:
    """Measures between two looks; what an earlier process did does not count.

    Args:
        scope: Name of the training run.
        device: Where it runs.
        precision: ``bfloat16`` or ``float32``.
        batch: Items a step.
        step: Where this process starts.
        steps: Where the run ends.
    """

    def __init__(
        self, scope: str, device: str, precision: str, *, batch: int, step: int, steps: int
    ) -> None:
        self._scope, self._device = scope, device
        self._batch, self._steps = batch, steps
        self._last = (step, time.monotonic())
        self._peak: float | None = None
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()
            name = torch.cuda.get_device_name()
            self._peak = dense_peak(name, precision)
            if self._peak is not None:
                logger.info(
                    "%s: MFU is counted FLOPs over %.0f TFLOP/s, the dense %s peak of %s",
                    scope,
                    self._peak / 1e12,
                    precision,
                    name,
                )

    def look(self, step: int, flops_a_step: float) -> dict[str, float]:
        """Figures since the last look, by metric name.

        Args:
            step: Steps done.
            flops_a_step: Counted arithmetic of one step; 0 when unknown.

        Returns:
            Items a second, seconds left, peak memory (of the device, or of this process on a
            CPU), and MFU where the device's peak is known.
        """
        now = time.monotonic()
        seconds = max(1e-9, now - self._last[1]) / max(1, step - self._last[0])
        self._last = (step, now)
        found = {
            "items_per_s": self._batch / seconds,
            "seconds_left": (self._steps - step) * seconds,
            "peak_memory_mib": self._memory() / MIB,
        }
        share = utilisation(flops_a_step, seconds, self._peak)
        if share is not None:
            found["mfu"] = share
        return {f"pace/{self._scope}/{name}": value for name, value in found.items()}

    def _memory(self) -> float:
        if self._device.startswith("cuda"):
            return float(torch.cuda.max_memory_allocated())
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
