"""What is examined: Volt X at every stage of its training, and the ablations of its frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from voltx_core.data.problem import Problem
from voltx_core.evaluation.examination import Sampling, System
from voltx_core.evaluation.frames import VARIANTS, Variant
from voltx_core.frame import TensorFrame

if TYPE_CHECKING:
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

BATCH = 256
"""Problems solved and written at once."""


class FrameWriter:
    """Problem -> frame -> program, with the frame made in one of the ways of ``VARIANTS``.

    Frames do not depend on how programs are sampled, so those of the latest problems are kept
    from one sampling round to the next.

    Args:
        translator: Reads queries and writes programs.
        core: Moves frames; may be None for the variants that need none.
        variant: How the frame is made. Only ``true`` looks at the solution.
    """

    def __init__(
        self, translator: "Translator", core: "SoftCore | None", variant: Variant = "rar"
    ) -> None:
        if core is None and variant in ("rar", "last", "one_shot", "shuffled"):
            raise ValueError(f"the frame {VARIANTS[variant]!r} needs a soft core")
        self._translator, self._core, self._variant = translator, core, variant
        self._latest: tuple[tuple[str, ...], TensorFrame] | None = None

    def write(self, problems: Sequence[Problem], sampling: Sampling) -> list[str]:
        frame = self.frame(problems)
        queries = [problem.query for problem in problems]
        programs: list[str] = []
        for start in range(0, len(problems), BATCH):
            written = self._translator.write(
                frame[start : start + BATCH],
                asked=self._translator.asked(queries[start : start + BATCH]),
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                generator=sampling.generator,
            )
            programs += [program.text for program in written]
        return programs

    @torch.no_grad()
    def frame(self, problems: Sequence[Problem]) -> TensorFrame:
        """The frames that programs are written from."""
        asked = tuple(problem.id for problem in problems)
        if self._latest is None or self._latest[0] != asked:
            self._latest = (asked, self._make(problems))
        return self._latest[1]

    def _make(self, problems: Sequence[Problem]) -> TensorFrame:
        if self._variant == "true":
            return self._translator.encode([problem.solution for problem in problems])
        query = self._translator.encode([problem.query for problem in problems])
        if self._variant == "query":
            return query
        if self._variant == "zero":
            return query.veto()
        assert self._core is not None
        if self._variant == "one_shot":
            return self._core.one_shot(query)
        queries = [problem.query for problem in problems]
        frame = TensorFrame.cat(
            [
                self._reached(query[n : n + BATCH], queries[n : n + BATCH])
                for n in range(0, len(query), BATCH)
            ]
        )
        if self._variant == "shuffled":
            return frame[torch.arange(len(frame)).roll(1)]
        return frame

    def _reached(self, query: TensorFrame, queries: Sequence[str]) -> TensorFrame:
        from voltx_core.soft_core.surest import answer

        assert self._core is not None
        if self._variant != "rar":
            return self._core.solve(query).frame
        asked = self._translator.asked(queries)
        return answer(self._core, self._translator, query, asked).trajectory.frame


def ablations(translator: "Translator", core: "SoftCore") -> list[System]:
    """One system for every way to make the frame but the model's own."""
    return [
        System(
            name=f"frame-{variant}",
            label=title,
            kind="ablation",
            write=FrameWriter(translator, core, variant).write,
        )
        for variant, title in VARIANTS.items()
        if variant != "rar"
    ]
