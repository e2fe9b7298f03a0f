"""Settings, presets and their resolution. Imports neither torch nor prefect."""

from voltx_core.config.presets import PRESET_NAMES, PRESETS, SUMMARIES, PresetName
from voltx_core.config.resolve import dotted, lookup, resolve
from voltx_core.config.schema import VoltxConfig

__all__ = [
    "PRESETS",
    "PRESET_NAMES",
    "SUMMARIES",
    "PresetName",
    "VoltxConfig",
    "dotted",
    "lookup",
    "resolve",
]
