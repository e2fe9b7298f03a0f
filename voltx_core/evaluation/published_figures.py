"""Scores that others published, for scale. None of them was measured here.

HumanEval, in per cent of 164 problems, 200 samples a problem: Chen et al. 2021 (Codex), Nijkamp et
al. 2022 (CodeGen-Mono), Xu et al. 2022 (PolyCoder), Fried et al. 2022 (InCoder), the model card of
CodeParrot.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Published:
    """pass@1, 10 and 100 of one model on one suite, in per cent."""

    suite: str
    model: str
    parameters: str
    passed: tuple[float, float, float]
    source: str


FIGURES = (
    Published("humaneval", "CodeParrot", "110M", (3.80, 6.57, 12.78), "its model card"),
    Published("humaneval", "PolyCoder", "160M", (2.13, 3.35, 4.88), "Xu et al. 2022"),
    Published("humaneval", "PolyCoder", "400M", (2.96, 5.29, 11.59), "Xu et al. 2022"),
    Published("humaneval", "Codex", "300M", (13.17, 20.37, 36.27), "Chen et al. 2021"),
    Published("humaneval", "Codex", "12B", (28.81, 46.81, 72.31), "Chen et al. 2021"),
    Published("humaneval", "CodeGen-Mono", "350M", (12.76, 23.11, 35.19), "Nijkamp et al. 2022"),
    Published("humaneval", "CodeGen-Mono", "2.7B", (23.70, 36.64, 57.01), "Nijkamp et al. 2022"),
    Published("humaneval", "InCoder", "6.7B", (15.2, 27.8, 47.0), "Fried et al. 2022"),
)


def published_rows(suites: tuple[str, ...]) -> list[dict[str, Any]]:
    """A table of what was published on these suites."""
    return [
        {
            "suite": figure.suite,
            "model": figure.model,
            "parameters": figure.parameters,
            **{
                f"published pass@{k}": round(value / 100, 4)
                for k, value in zip((1, 10, 100), figure.passed, strict=True)
            },
            "source": figure.source,
        }
        for figure in FIGURES
        if figure.suite in suites
    ]
