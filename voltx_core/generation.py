"""The trained model end to end: a request in words becomes a program and what is known about it.

    voltx generate "return the squares of the even numbers"

Guard -> encode -> RAR -> write -> review -> certainty -> judge. A refused request, or a refused
program, leaves an empty program, a certainty of 0 and an audit record; it is never executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from voltx_core.data.problem import Problem, Test
from voltx_core.frame import ROLES, TensorFrame
from voltx_core.hard_core.certainty import Certainty, features, python_valid
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.index import CodebookIndex
from voltx_core.hard_core.router import IntentRouter
from voltx_core.hard_core.safety import Review, SafetyAxioms, veto
from voltx_core.hard_core.slots import encode_whole
from voltx_core.judge.program import Limits, Program, Verdict
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.soft_core.surest import answer
from voltx_core.translator.translator import Translator, Written

if TYPE_CHECKING:
    from voltx_core.judge.pool import Judge

ARTIFACTS: tuple[str, ...] = (
    "tokenizer",
    "encoder",
    "decoder",
    "soft_core_sleep",
    "certainty_rlvf",
    "router_sleep",
    "safety",
    "codebook",
    "codebook_index",
)
"""What the model consists of: the artifacts ``Generator.load`` wants."""
BATCH = 256


@dataclass(frozen=True, slots=True)
class NearEntry:
    """The codebook entry that one active slot of the final frame comes closest to."""

    role: str
    entry: int
    cosine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One answer."""

    query: str
    code: str
    """Empty when the request or the program was refused."""
    gamma: float
    """P(all tests pass), as far as the model can tell without running anything."""
    strands: tuple[str, ...]
    """Where the router sends the request, best first."""
    iterations: int
    """RAR iterations until the frame stood still, or the budget."""
    converged: bool
    moved: bool
    """Whether the program was written from where the loop ended; if not, the decoder was surer of
    the query's own frame."""
    nearest: tuple[NearEntry, ...]
    valid: bool
    """Whether the code is a program at all."""
    review: Review
    audit: dict[str, Any] | None = None
    """Record of a refusal: what, why, by whom."""
    verdict: Verdict | None = None
    """What the tests said; None without tests or judge, and for refused programs."""


@dataclass(slots=True)
class Generator:
    """Every trained part, put together.

    Example:
        >>> generator = Generator.load(artifacts)
        >>> generator.generate("return the sum of the list").code  # doctest: +SKIP
    """

    translator: Translator
    core: SoftCore
    certainty: Certainty
    router: IntentRouter
    safety: SafetyAxioms
    codebook: Codebook | CodebookIndex
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def load(cls, artifacts: Mapping[str, Path], *, device: str = "cpu") -> "Generator":
        """Put the model together from its files.

        Args:
            artifacts: Path of each of ``ARTIFACTS``; the index of the codebook may be missing.
            device: Where it runs; the codebook is searched on the CPU.

        Raises:
            DataError: A file is damaged or does not belong to the others.
            KeyError: An artifact is missing.
        """
        codebook = Codebook.load(artifacts["codebook"])
        index = artifacts.get("codebook_index")  # without it, every entry is compared
        return cls(
            translator=Translator.load(
                artifacts["tokenizer"], artifacts["encoder"], artifacts["decoder"], device=device
            ),
            core=SoftCore.load(artifacts["soft_core_sleep"], device=device),
            certainty=Certainty.load(artifacts["certainty_rlvf"]),
            router=IntentRouter.load(artifacts["router_sleep"], device=device),
            safety=SafetyAxioms.load(artifacts["safety"], device=device),
            codebook=CodebookIndex.load(index, codebook) if index else codebook,
        )

    def generate(
        self,
        query: str,
        tests: Sequence[Test] = (),
        *,
        judge: "Judge | None" = None,
        entry_point: str | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Generated:
        """Answer one request.

        Args:
            query: What the program should do.
            tests: Asserts or stdin/stdout pairs; executed only by a judge.
            judge: Executes the program on the tests.
            entry_point: Name of the function the tests call, if they call one.
            temperature: 0 is greedy.
            top_p: Nucleus of sampling.
            generator: Source of the draws.

        Raises:
            ValueError: The query is empty.
        """
        problem = Problem(
            id="request", query=query, solution="", tests=tuple(tests), entry_point=entry_point
        )
        (answer,) = self.answer(
            [problem], judge=judge, temperature=temperature, top_p=top_p, generator=generator
        )
        return answer

    def answer(
        self,
        problems: Sequence[Problem],
        *,
        judge: "Judge | None" = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> list[Generated]:
        """Answer many problems, in their order; their solutions are not looked at.

        Raises:
            ValueError: A query is empty.
        """
        if any(not problem.query.strip() for problem in problems):
            raise ValueError("a request needs at least one word")
        answers: list[Generated] = []
        for start in range(0, len(problems), BATCH):
            queries = [problem.query for problem in problems[start : start + BATCH]]
            answers += self._write(queries, temperature, top_p, generator)
        if judge is not None:
            answers = self._judged(problems, answers, judge)
        return answers

    @torch.no_grad()
    def _write(
        self,
        queries: Sequence[str],
        temperature: float,
        top_p: float,
        generator: torch.Generator | None,
    ) -> list[Generated]:
        asked = self.safety.review_all(queries, None)  # the guard alone: words have no frame yet
        frame = self.translator.encode(queries)
        routes = self.router.route(frame.gist())
        words = self.translator.asked(queries)
        surer = answer(self.core, self.translator, veto(frame, asked), words)
        trajectory, written = surer.trajectory, surer.written
        if temperature:
            written = self.translator.write(
                trajectory.frame,
                asked=words,
                temperature=temperature,
                top_p=top_p,
                generator=generator,
            )
        reviews = self._reviews(asked, written)
        budget = self.core.config.rar_budget
        seen = features(trajectory, written, self.codebook, budget=budget)  # [B, F]
        gamma = self.certainty.gamma(seen)
        nearest = self._nearest(trajectory.frame)
        answers: list[Generated] = []
        for row, (text, review) in enumerate(zip(queries, reviews, strict=True)):
            refused = text if not asked[row].safe else written[row].text
            answers.append(
                Generated(
                    query=text,
                    code=written[row].text if review.safe else "",
                    gamma=float(gamma[row]) if review.safe else 0.0,
                    strands=routes[row].strands,
                    iterations=int(trajectory.iterations[row]),
                    converged=bool(trajectory.converged[row]),
                    moved=bool(surer.moved[row]),
                    nearest=nearest[row] if review.safe else (),
                    valid=review.safe and python_valid(written[row].text),
                    review=review,
                    audit=None if review.safe else review.record(refused),
                )
            )
        return answers

    def _reviews(self, asked: Sequence[Review], written: Sequence[Written]) -> list[Review]:
        """The refusal of the request where there is one, else the review of the program.

        The axioms read the frames of the whole text, as they did when they were trained.
        """
        texts = [program.text for program in written]
        slots, mask = encode_whole(self.translator, texts)  # [B, S, W], [B, S]
        reviews = self.safety.review_all(texts, TensorFrame(slots, mask, mask.to(slots.dtype)))
        return [
            first if not first.safe else second
            for first, second in zip(asked, reviews, strict=True)
        ]

    def _nearest(self, frame: TensorFrame) -> list[tuple[NearEntry, ...]]:
        """For each frame, the nearest codebook entry of every active slot."""
        found: list[list[NearEntry]] = [[] for _ in range(len(frame))]
        entries, cosines = self.codebook.nearest(frame.slots[frame.mask].cpu())
        places = frame.mask.nonzero().tolist()
        for (row, slot), entry, cosine in zip(
            places, entries.tolist(), cosines.tolist(), strict=True
        ):
            found[row].append(NearEntry(ROLES[slot], entry, cosine))
        return [tuple(entries) for entries in found]

    def _judged(
        self, problems: Sequence[Problem], answers: Sequence[Generated], judge: "Judge"
    ) -> list[Generated]:
        """The same answers with the verdicts of those that may and can be executed."""
        rows = [n for n, a in enumerate(answers) if a.review.safe and problems[n].tests]
        verdicts = judge.run(
            [Program.of(problems[n], answers[n].code, limits=self.limits) for n in rows]
        )
        judged = list(answers)
        for n, verdict in zip(rows, verdicts, strict=True):
            judged[n] = replace(answers[n], verdict=verdict)
        return judged
