"""Material and training of a soft core: frames encoded once, three curriculum stages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.data.problem import Problem
from voltx_core.frame import TensorFrame
from voltx_core.soft_core.flow_matching import soft_core_loss
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.training.loop import Trained, train
from voltx_core.training.session import Session
from voltx_core.translator.translator import Translator

CONCEPT_STAGES: tuple[frozenset[str], ...] = (
    frozenset({"simple"}),
    frozenset({"simple", "loops", "multi-function"}),
    frozenset({"simple", "loops", "multi-function", "algorithmic"}),
)
LATER_SOURCES: tuple[frozenset[str], ...] = (
    frozenset({"introductory", "interview", "competition"}),
    frozenset({"competition"}),
    frozenset(),
)
"""Difficulties that the source curriculum leaves out of each stage: APPS comes later."""


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Problems as frames: encoded once, read at memory speed.

    Attributes:
        query, solution: N frames each.
        targets: ``<bos> solution <eos>`` ids ``[N, L]``.
        asked: Token ids of the queries ``[N, Lq]``, padded with 0.
        problems: What they were encoded from.
    """

    query: TensorFrame
    solution: TensorFrame
    targets: Tensor
    asked: Tensor
    problems: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def of(
        cls,
        translator: Translator,
        problems: Sequence[Problem],
        poll: Callable[[], None] = lambda: None,
    ) -> "FrameSet":
        """Encode problems whose solutions fit the decoder; ``poll`` may raise to end it."""
        most = translator.decoder.max_tokens - 2
        lengths = translator.tokenizer.lengths([p.solution for p in problems])
        fitting = [p for p, n in zip(problems, lengths, strict=True) if n <= most]
        return cls(
            translator.encode([p.query for p in fitting], poll=poll),
            translator.encode([p.solution for p in fitting], poll=poll),
            translator.targets([p.solution for p in fitting]),
            translator.tokenizer.encode([p.query for p in fitting], translator.encoder.max_tokens)[
                0
            ],
            tuple(fitting),
        )

    def __getitem__(self, rows: Tensor) -> "FrameSet":
        """Some of the problems, such as those of a batch."""
        return FrameSet(
            self.query[rows],
            self.solution[rows],
            self.targets[rows],
            self.asked[rows],
            tuple(self.problems[n] for n in rows.tolist()),
        )

    def stage(self, number: int, curriculum: str) -> Tensor:
        """Rows that curriculum stage 0, 1 or 2 trains on; all rows where a stage has none."""
        levels = [str(problem.difficulty) for problem in self.problems]
        if curriculum == "concept":
            known = frozenset.union(*CONCEPT_STAGES)
            rows = [
                n
                for n, level in enumerate(levels)
                if level in CONCEPT_STAGES[number] or level not in known
            ]
        else:
            rows = [n for n, level in enumerate(levels) if level not in LATER_SOURCES[number]]
        return torch.tensor(rows or range(len(levels)))


def fit(
    run: Session,
    core: SoftCore,
    translator: Translator,
    frames: FrameSet,
    config: SoftCoreConfig,
) -> list[Trained]:
    """Train the core through the three curriculum stages; weights carry over, schedules do not.

    Raises:
        Interrupted: A stop was asked for; the state was saved.
    """
    results = []
    for number, (share, rate) in enumerate(
        zip(config.stage_shares, config.stage_lr_shares, strict=True)
    ):
        rows = frames.stage(number, config.curriculum)
        optimizer = config.optimizer.model_copy(update={"lr": config.optimizer.lr * rate})

        def loss(batch, rows=rows):  # type: ignore[no-untyped-def]
            chosen = frames[rows[batch.rows]]
            return soft_core_loss(core, translator, chosen, config, batch.generator)

        results.append(
            train(
                run,
                scope=f"curriculum-{number + 1}",
                modules={"core": core},
                loss=loss,
                items=len(rows),
                batch=config.batch,
                steps=max(1, round(share * config.steps)),
                optimizer=optimizer,
            )
        )
    return results
