"""What it takes to get the same result again."""

import json
import shlex
from collections.abc import Collection, Sequence
from typing import Any

from voltx_core.config.vincigpt import NAME_OF
from voltx_core.report.content import Card, Setting


def command(
    preset: str,
    overrides: Sequence[Setting],
    stages: Sequence[str],
    known: Sequence[str],
    aside: Collection[str] = (),
) -> str:
    """The command line that repeats a run.

    Args:
        preset: Its preset.
        overrides: Settings that differ from the preset. The data directory comes from the
            environment and is left out.
        stages: Stages the run visited.
        known: All stages of the graph, in order.
        aside: Stages of vinciGPT's own graph; a run of these has its own command.
    """
    apart = not set(aside).isdisjoint(stages)
    words = ["voltx", "run", "--preset", preset]
    if apart:
        words = ["voltx", "vincigpt", "train", "--preset", NAME_OF.get(preset, preset)]
    for setting in overrides:
        if setting.key != "data.directory":
            words += ["--set", f"{setting.key}={_value(setting.value)}"]
    if stages and not apart and set(stages) != set(known):
        words += [word for name in stages for word in ("--only", name)]
    return shlex.join(words)


def conditions(card: Card) -> list[str]:
    """Sentences on what else must be equal for equal bytes."""
    lines = [
        f"Seed {card.seed}; every random choice derives from it, the stage and the step.",
        "The same settings, inputs and stage versions give the same fingerprint; the same "
        "hardware, libraries and thread count also give the same bytes.",
    ]
    if len(card.machines) > 1:
        lines.append(
            f"The results were made in {len(card.machines)} different environments (reused "
            f"stages keep the one they were made in)."
        )
    for setting in card.overrides:
        if setting.key == "data.directory" and setting.value:
            lines.append(
                "VOLTX_DATA_DIR named a folder of published data sets; their digests are part of "
                "the data stage's fingerprint."
            )
    return lines


def _value(value: Any) -> str:
    text = json.dumps(value)
    # Plain words are understood as they are; quote only what JSON would read as something else.
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return text
