"""4.1 End-to-end: flow loss and a policy gradient on executed samples, together.

    voltx run --until e2e

The translator stays frozen. The velocity field, slot attention and diffusion controller learn
from 0.7 · flow + 0.3 · REINFORCE, where the reward is the share of tests that a sampled program
passes when it is executed.
"""

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

SPEC = StageSpec(
    number="4.1",
    name="e2e",
    title="End-to-end",
    needs=("problems", "tokenizer", "encoder", "decoder", "soft_core"),
    makes=(Artifact("soft_core_e2e", "soft_core_e2e.safetensors"),),
    reads=("alignment.e2e", "soft_core"),
    pool="gpu",
    judges=True,
    targets=(Target("humaneval_pass@1", ">", 0.25, "HumanEval pass@1"),),
    version=3,  # programs come from the surer frame
)


def run(run: StageRun) -> StageReport:
    import torch

    from voltx_core.alignment.policy_gradient import (
        log_likelihood,
        reinforce_loss,
        sample_attempts,
    )
    from voltx_core.alignment.rewards import pass_rate_reward
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.evaluation.underway import Underway
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.soft_core.flow_matching import soft_core_loss
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator, measure_core, measure_exam
    from voltx_core.training.loop import Batch, train

    config, report = run.config.alignment.e2e, StageReport()
    translator = load_translator(run)
    core = SoftCore.load(run.inputs["soft_core"], device=run.device)
    problems = list(read_problems(run.inputs["problems"] / "train.jsonl"))
    frames = FrameSet.of(translator, problems, run.stop.check)
    with open_judge(run.config) as judge, Underway(run, judge) as underway:

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
            flow, parts = soft_core_loss(
                core, translator, lesson, run.config.soft_core, batch.generator
            )
            likelihood = log_likelihood(
                core,
                translator,
                lesson.query,
                attempts,
                temperature=config.temperature,
                unrolled_steps=config.unrolled_steps,
            )
            verdicts = underway.verdicts()
            rewards = torch.tensor([pass_rate_reward(v) for v in verdicts]).view(-1, attempts.k)
            policy = reinforce_loss(likelihood, rewards)
            passed = torch.tensor([float(v.passed) for v in verdicts]).mean()
            return config.flow_weight * flow + config.reinforce_weight * policy, {
                "cosine": parts["cosine"],
                "reward": rewards.nanmean(),
                "excluded": rewards.isnan().float().mean(),
                "passed": passed,
            }

        trained = train(
            run,
            scope="e2e",
            modules={"core": core},
            loss=loss,
            items=len(frames),
            batch=config.batch,
            steps=config.steps,
            optimizer=config.optimizer,
        )
        core.save(run.output("soft_core_e2e"))
        report.flops = trained.flops
        report.timings_s["training"] = trained.seconds
        report.counts["programs executed"] = config.steps * config.batch * config.samples
        report.timings_s |= underway.timings_s()
        measure_core(run, translator, core, judge, report, variants=("rar", "last", "one_shot"))
        measure_exam(run, translator, core, judge, report, "humaneval")
    return report
