"""Numbers as people read them. What was not measured says so."""

import math
from typing import Any

NOT_MEASURED = "not measured"


def number(value: float | None, *, missing: str = NOT_MEASURED) -> str:
    """Three significant digits, thousands separated: ``0.512``, ``12,345``, ``6.7e+12``."""
    if value is None:
        return missing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite" if value > 0 else "-infinite"
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e9:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.2e}"


def share(value: float | None, *, missing: str = NOT_MEASURED) -> str:
    """A share of one as per cent: ``54.2 %``."""
    if value is None or not math.isfinite(value):
        return number(value, missing=missing)
    return f"{100 * value:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """A confidence interval of shares: ``47.0 – 61.5 %``; empty when there is none."""
    if low is None or high is None:
        return ""
    return f"{100 * low:.1f} – {100 * high:.1f} %"


def duration(seconds: float | None, *, missing: str = NOT_MEASURED) -> str:
    """``0.4 s``, ``41 s``, ``3 min 05 s``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds is None or not math.isfinite(seconds):
        return missing
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def money(usd: float | None, *, missing: str = NOT_MEASURED) -> str:
    """US dollars; amounts below a cent as such."""
    if usd is None:
        return missing
    if 0 < usd < 0.01:
        return "< $0.01"
    return f"${usd:,.2f}"


def size(count: int | None, *, missing: str = NOT_MEASURED) -> str:
    """Bytes: ``512 B``, ``3.4 KiB``, ``120 MiB``, ``1.5 GiB``."""
    if count is None:
        return missing
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def cell(value: Any) -> str:
    """Any value of a table row."""
    if value is None:
        return NOT_MEASURED
    if isinstance(value, (bool, int, float)):
        return number(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {cell(item)}" for key, item in value.items())
    return str(value)
