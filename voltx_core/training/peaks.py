"""Peak arithmetic of accelerators, for model FLOPs utilisation (MFU).

Convention: dense peak (no structured sparsity) of the precision that training runs in, boost
clock, as the vendor's data sheet states it; bfloat16 with float32 accumulation on tensor cores,
float32 outside of them. MFU is the arithmetic counted in a step's forward and backward (matrix
products, convolutions, attention; what is computed twice counts twice) over that peak.
"""

from dataclasses import dataclass

TERA = 1e12


@dataclass(frozen=True, slots=True)
class Peak:
    """Dense FLOP/s of one device."""

    bfloat16: float
    float32: float


PEAKS: dict[str, Peak] = {
    "B200": Peak(2_250 * TERA, 75 * TERA),
    "H200": Peak(989.4 * TERA, 66.9 * TERA),
    "H100 PCIe": Peak(756 * TERA, 51.2 * TERA),
    "H100 NVL": Peak(835 * TERA, 60 * TERA),
    "H100": Peak(989.4 * TERA, 66.9 * TERA),
    "A100": Peak(312 * TERA, 19.5 * TERA),
    "L40S": Peak(362 * TERA, 91.6 * TERA),
    "RTX 5090": Peak(209.5 * TERA, 104.8 * TERA),
    "RTX 4090": Peak(165.2 * TERA, 82.6 * TERA),
    "RTX 3090": Peak(71 * TERA, 35.6 * TERA),
}
"""By part of the device's name; the first that fits counts, so special forms stand first."""


def dense_peak(device_name: str, precision: str) -> float | None:
    """FLOP/s of a device, or None for one that is not in the table.

    Args:
        device_name: As ``torch.cuda.get_device_name`` gives it.
        precision: ``bfloat16`` or ``float32``.
    """
    for part, peak in PEAKS.items():
        if part in device_name:
            return peak.bfloat16 if precision == "bfloat16" else peak.float32
    return None


def utilisation(flops_a_step: float, seconds_a_step: float, peak: float | None) -> float | None:
    """MFU: the share of the device's peak that a step's arithmetic uses; None when either is
    unknown."""
    if not flops_a_step or not peak:
        return None
    return flops_a_step / seconds_a_step / peak
