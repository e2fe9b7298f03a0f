"""The model card: what a stranger must know before using the model, as the hub shows it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from voltx_core.report import markdown
from voltx_core.report.content import Card
from voltx_core.report.formatting import share
from voltx_core.report.headline import by_split, leading
from voltx_core.report.tables import score_table, target_table

_FRONT = """---
library_name: voltx
pipeline_tag: text-generation
tags:
- code
- voltx
---
"""

_USE = """## Use

With voltx installed from its repository:

```
voltx generate --model . "return the squares of the even numbers" --test "assert solve([2]) == [4]"
```

Weights are safetensors, everything else JSON, and the codebook a table of numbers; nothing is
unpickled. The tests run isolated from your machine.
"""

_LIMITS = """## Limits

- It was trained and measured on the problems that the tables name, and on nothing else; requests
  in words that training never used mostly fail.
- A program that is refused by the safety review is not shown. The review was measured on some
  families of harmful code; it is no sandbox. Run what it writes isolated.
- γ is an estimate from held-out generated problems; on other problems it may be far off.
"""


def facts(card: Card) -> dict[str, Any]:
    """What strangers may know of a run: figures and sizes, no place, setting or text of its owner.

    Args:
        card: The run's report.
    """
    best = leading(card.scores)
    return {
        "run": card.run_id,
        "preset": card.preset,
        "seed": card.seed,
        "headline": asdict(best) if best else None,
        "scores": [asdict(score) for score in card.scores],
        "targets": [asdict(target) for target in card.targets],
    }


def model_card(card: Card, artifacts: Sequence[str]) -> str:
    """The card of the model of a run, as Markdown.

    Args:
        card: The run's report.
        artifacts: Names of what the model consists of.
    """
    best = leading(card.scores)
    score = (
        f"pass@1 on {best.split}: **{share(best.value)}** ({best.label})."
        if best
        else "pass@1 was not measured in this run."
    )
    lines = [
        _FRONT,
        f"# Volt X, run {card.run_id}",
        "",
        "Text becomes tokens, tokens a frame of slots; a velocity field moves the frame of the",
        "request toward that of a solution, and a decoder writes code from it.",
        "",
        score,
        "",
        _USE,
    ]
    for split, scores in by_split(card.scores).items():
        lines += [f"## pass@1, {split}", "", *markdown.table(score_table(scores))]
    lines += ["## Targets", "", *markdown.table(target_table(card.targets))]
    lines += [_LIMITS, "## Parts", "", *(f"- `{name}`" for name in artifacts), ""]
    lines += [
        f"Preset {card.preset}, seed {card.seed}. `voltx-model.json` lists every part with its",
        "sha256 and the stage that made it; `report.json` has the figures above.",
        "",
    ]
    return "\n".join(lines)
