"""4.2 RLVF: reinforcement learning from verified feedback.

    voltx run --until rlvf

Every sample is executed. The reward pays certainty when it was right and punishes it when it was
wrong, so gamma is computed from what the policy itself does (its trajectory and its token
probabilities) and moves with it. Part of each batch is self-play: known problems changed in a
constant, an operation or their length, with references that were executed first. Afterwards the
certainty is calibrated anew, because the policy is another one.
"""

from typing import TYPE_CHECKING, Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voltx_core.alignment.policy_gradient import Attempts
    from voltx_core.data.problem import Problem
    from voltx_core.hard_core.certainty import Certainty
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.judge import Judge
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

SPEC = StageSpec(
    number="4.2",
    name="rlvf",
    title="RLVF",
    needs=(
        "problems",
        "tokenizer",
        "encoder",
        "decoder",
        "soft_core_e2e",
        "certainty",
        "safety",
        "codebook",
        "codebook_index",
    ),
    makes=(
        Artifact("soft_core_rlvf", "soft_core_rlvf.safetensors"),
        Artifact("certainty_rlvf", "certainty_rlvf.json"),
    ),
    reads=("alignment.rlvf", "certainty", "soft_core"),
    pool="gpu",
    judges=True,
    targets=(
        Target("overconfident_share", "<", 0.08, "programs that fail with gamma > 0.7"),
        Target("ece", "<", 0.06, "expected calibration error after RLVF"),
        Target("apps_pass@1", ">", 0.15, "APPS pass@1"),
    ),
    version=5,  # programs come from the surer frame
)


def run(run: StageRun) -> StageReport:
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.hard_core.certainty import Certainty
    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.hard_core.safety import SafetyAxioms
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator, measure_core, measure_exam

    report, folder = StageReport(), run.inputs["problems"]
    translator = load_translator(run)
    core = SoftCore.load(run.inputs["soft_core_e2e"], device=run.device)
    index = CodebookIndex.load(run.inputs["codebook_index"], Codebook.load(run.inputs["codebook"]))
    certainty = Certainty.load(run.inputs["certainty"])
    axioms = SafetyAxioms.load(run.inputs["safety"])
    with open_judge(run.config) as judge:
        frames = _material(run, translator, judge, report)
        before = _Calibration.of(
            run, translator, core, index, judge, certainty, read_problems, "before"
        )
        _reinforce(
            run,
            translator,
            core,
            frames,
            judge,
            _Feedback(translator, certainty, index, axioms),
            report,
        )
        core.save(run.output("soft_core_rlvf"))
        after = _Calibration.of(run, translator, core, index, judge, None, read_problems, "after")
        after.certainty.save(run.output("certainty_rlvf"))
        _compare(run, before, after, report)
        measure_core(run, translator, core, judge, report, variants=("rar", "last", "one_shot"))
        if (folder / "exams" / "apps.jsonl").exists():
            measure_exam(run, translator, core, judge, report, "apps")
        else:
            report.notes.append("APPS not run: its data is not here (set VOLTX_DATA_DIR).")
    return report


class _Feedback:
    """Turns executed attempts into rewards: certainty, safety, verdict."""

    def __init__(
        self,
        translator: "Translator",
        certainty: "Certainty",
        index: "CodebookIndex",
        axioms: Any,
    ) -> None:
        self.translator, self.axioms = translator, axioms
        self.certainty, self.index = certainty, index

    def gammas(self, attempts: "Attempts", budget: int) -> "NDArray[np.float64]":
        """Certainty of each attempt before it is executed."""
        import torch

        from voltx_core.hard_core.certainty import features

        rows = torch.arange(len(attempts.written)) // attempts.k
        values = features(attempts.trajectory[rows], attempts.written, self.index, budget=budget)
        return self.certainty.gamma(values)

    def safe(self, attempts: "Attempts") -> list[bool]:
        """Whether guard and axioms let each attempt pass, read as programs are read elsewhere."""
        from voltx_core.frame import TensorFrame
        from voltx_core.hard_core.slots import encode_whole

        codes = [written.text for written in attempts.written]
        slots, mask = encode_whole(self.translator, codes)
        frame = TensorFrame(slots, mask, mask.float())
        return [review.safe for review in self.axioms.review_all(codes, frame)]


def _material(
    run: StageRun, translator: "Translator", judge: "Judge", report: StageReport
) -> "FrameSet":
    """Training problems and, in the share configured, mutated ones with executed references."""
    import random

    from voltx_core.alignment.mutation import mutated_problems
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.verdicts import LastingVerdicts
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.training.pieces import Pieces
    from voltx_core.training.randomness import derive

    config, folder = run.config.alignment.rlvf, run.inputs["problems"]
    problems = list(read_problems(folder / "train.jsonl"))
    held_out = [
        problem
        for part in ("validation", "calibration", "heldout", "compositions", "phrasing", "replay")
        for problem in read_problems(folder / f"{part}.jsonl")
    ]
    # Rows are drawn uniformly, so the share of the set is the share of every batch.
    asked = config.steps * config.batch
    share = config.self_play_share
    with Pieces(run, "mutations") as memory:
        played = mutated_problems(
            problems,
            round(share * asked),
            lambda attempt: random.Random(derive(run.config.seed, "self-play", attempt)),
            LastingVerdicts(run, judge, "self-play"),
            held_out=held_out,
            memory=memory,
        )
    known = round(len(played) * (1 - share) / share) if share and played else len(problems)
    stride = max(1, len(problems) // max(1, known))
    report.counts |= {"self-play problems": len(played)}
    return FrameSet.of(translator, [*problems[::stride][:known], *played], run.stop.check)


def _reinforce(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    frames: "FrameSet",
    judge: "Judge",
    feedback: _Feedback,
    report: StageReport,
) -> None:
    import torch

    from voltx_core.alignment.policy_gradient import (
        log_likelihood,
        reinforce_loss,
        sample_attempts,
    )
    from voltx_core.alignment.rewards import overconfident_share, verified_reward
    from voltx_core.evaluation.underway import Underway
    from voltx_core.soft_core.flow_matching import soft_core_loss
    from voltx_core.training.loop import Batch, train

    config = run.config.alignment.rlvf

    def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        lesson = frames[batch.rows]
        attempts = sample_attempts(
            core,
            translator,
            lesson.query,
            translator.asked_ids(lesson.asked),
            k=config.samples,
            temperature=config.temperature,
            unrolled_steps=config.unrolled_steps,
            generator=batch.generator,
        )
        asked = [problem for problem in lesson.problems for _ in range(attempts.k)]
        underway.begin(asked, [w.text for w in attempts.written])
        # From here on the judge works beside: what needs no verdict comes first.
        gammas = feedback.gammas(attempts, core.config.rar_budget)
        safe = feedback.safe(attempts)
        likelihood = log_likelihood(
            core,
            translator,
            lesson.query,
            attempts,
            temperature=config.temperature,
            unrolled_steps=config.unrolled_steps,
        )
        flow, parts = soft_core_loss(
            core, translator, lesson, run.config.soft_core, batch.generator
        )
        verdicts = underway.verdicts()
        rewards = torch.tensor(
            [
                verified_reward(verdict, float(gamma), safe=ok, config=config.reward)
                for verdict, gamma, ok in zip(verdicts, gammas, safe, strict=True)
            ]
        ).view(-1, attempts.k)
        wrong = overconfident_share(verdicts, gammas.tolist(), config.reward.certain)
        return reinforce_loss(likelihood, rewards) + config.flow_weight * flow, {
            "reward": rewards.nanmean(),
            "excluded": rewards.isnan().float().mean(),
            "passed": torch.tensor([float(v.passed) for v in verdicts]).mean(),
            "overconfident": torch.tensor(wrong),
            "unsafe": torch.tensor([float(not ok) for ok in safe]).mean(),
            "cosine": parts["cosine"],
        }

    with Underway(run, judge) as underway:
        trained = train(
            run,
            scope="rlvf",
            modules={"core": core},
            loss=loss,
            items=len(frames),
            batch=config.batch,
            steps=config.steps,
            optimizer=config.optimizer,
        )
    core.eval()
    report.flops = trained.flops
    report.timings_s["training"] = trained.seconds
    report.counts["programs executed"] = config.steps * config.batch * config.samples
    report.timings_s |= underway.timings_s()
    report.notes.append(f"Rewards: {config.reward.kind}.")


class _Calibration:
    """A certainty and how honest it is on the held-out half of the calibration problems."""

    def __init__(self, certainty: "Certainty", values: Any, passed: Any, bins: int) -> None:
        from voltx_core.evaluation.calibration import calibrate

        self.certainty = certainty
        self.gamma = certainty.gamma(values)
        self.passed = passed
        self.found = calibrate(self.gamma, passed, bins=bins)

    @classmethod
    def of(
        cls,
        run: StageRun,
        translator: "Translator",
        core: "SoftCore",
        index: "CodebookIndex",
        judge: "Judge",
        certainty: "Certainty | None",
        read: Any,
        scope: str,
    ) -> "_Calibration":
        """Solve the calibration problems; without a certainty, fit one on the other half."""
        from voltx_core.hard_core.certainty import Certainty
        from voltx_core.stages.certainty import solve, task_of_point

        problems: list[Problem] = list(read(run.inputs["problems"] / "calibration.jsonl"))
        values, passed = solve(
            run, translator, core, index, judge, problems, scope=f"calibration-{scope}"
        )
        groups = task_of_point(problems)
        held_out = groups % 2 == 1
        if certainty is None:
            certainty = Certainty.fit(
                values[~held_out],
                passed[~held_out],
                groups[~held_out],
                isotonic_minimum=run.config.certainty.isotonic_minimum,
            )
        return cls(certainty, values[held_out], passed[held_out], run.config.certainty.bins)

    def overconfident(self, certain: float) -> float:
        """Share of programs that fail although gamma said more than ``certain``."""
        return float(((self.gamma > certain) & ~self.passed).mean())

    def row(self, title: str, certain: float) -> dict[str, Any]:
        """One line of the comparison."""
        return {
            "policy": title,
            "pass rate": round(self.found.pass_rate, 4),
            "overconfident": round(self.overconfident(certain), 4),
            "ECE": round(self.found.ece, 4),
            "Brier": round(self.found.brier, 4),
            "AUROC": None if self.found.auroc is None else round(self.found.auroc, 4),
        }


def _compare(run: StageRun, before: _Calibration, after: _Calibration, report: StageReport) -> None:
    from voltx_core.evaluation.calibration import draw_reliability

    certain = run.config.alignment.rlvf.reward.certain
    report.tables["certainty before and after RLVF, held-out problems"] = [
        before.row("after 4.1", certain),
        after.row("after 4.2, calibrated anew", certain),
    ]
    report.metrics |= {
        "overconfident_share": after.overconfident(certain),
        "overconfident_share_before": before.overconfident(certain),
        "ece": after.found.ece,
        "brier": after.found.brier,
        "auroc": after.found.auroc,
    }
    path = run.figure("reliability")
    draw_reliability(after.found, path, title="Certainty after RLVF, held-out problems")
    run.observer.figure("reliability", path)
