"""The model card: what a stranger must know before using the model, as the hub shows it."""

from collections.abc import Sequence

from voltx_core.report import markdown
from voltx_core.report.content import Card
from voltx_core.report.formatting import share
from voltx_core.report.headline import leading

_FRONT = """---
library_name: voltx
pipeline_tag: text-generation
tags:
- code
- voltx
---
"""

_USE = """## Use

```
pip install voltx
voltx generate --model . "return the squares of the even numbers" --test "assert solve([2]) == [4]"
```

Weights are safetensors; nothing is unpickled. The tests run isolated from your machine.
"""

_LIMITS = """## Limits

- It was trained and measured on the problems that the table above names, and on nothing else;
  requests in words that training never used mostly fail.
- A program that is refused by the safety review is not shown. The review was measured on the
  families of harmful code that the report names; it is no sandbox. Run what it writes isolated.
- γ is an estimate from held-out generated problems; on other problems it may be far off.
"""


def model_card(card: Card, artifacts: Sequence[str]) -> str:
    """The card of the model of a run, with the figures of its report.

    Args:
        card: The run.
        artifacts: Names of what the model consists of.
    """
    best = leading(card.scores)
    score = (
        f"pass@1 on {best.split}: **{share(best.value)}** ({best.label})."
        if best
        else "pass@1 was not measured in this run."
    )
    return "\n".join(
        [
            _FRONT,
            f"# Volt X, run {card.run_id}",
            "",
            "Text becomes tokens, tokens a frame of 16 slots × 256; a velocity field moves the "
            "frame of the request toward that of a solution, and a decoder writes code from it.",
            "",
            score,
            "",
            _USE,
            markdown.summary(card).replace("# voltx run", "## Run", 1).replace("\n## ", "\n### "),
            _LIMITS,
            "## Parts",
            "",
            *(f"- `{name}`" for name in artifacts),
            "",
            "`voltx-model.json` lists every file with its sha256, and the fingerprint of the stage "
            "that made it; `report.json` is the whole report.",
            "",
        ]
    )
