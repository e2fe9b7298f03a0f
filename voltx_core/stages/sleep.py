"""4.3 Sleep: replay, consolidate, and keep the result only if it proves itself.

    voltx run --until sleep

Replayed queries are solved and executed; frames that worked and frames that failed train the
hidden layers apart, the loop's results are distilled into single steps, and the flow loss repairs
what failed. The consolidated weights are kept only when problems that sleep never saw improve and
old ones do not suffer; otherwise the weights of 4.2 are committed unchanged, and the report says
so.
"""

from typing import TYPE_CHECKING

from voltx_core.errors import DataError
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from voltx_core.alignment.sleep import Replay
    from voltx_core.data.problem import Problem
    from voltx_core.judge import Judge
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

SPEC = StageSpec(
    number="4.3",
    name="sleep",
    title="Sleep",
    needs=("problems", "tokenizer", "encoder", "decoder", "soft_core_rlvf", "router"),
    makes=(
        Artifact("soft_core_sleep", "soft_core_sleep.safetensors"),
        Artifact("router_sleep", "intent_router_sleep.safetensors"),
    ),
    reads=("alignment.sleep", "soft_core"),
    pool="gpu",
    judges=True,
    targets=(
        Target("new_gain", ">", 0.05, "pass-rate gain on new problems"),
        Target("old_loss", "<=", 0.03, "pass-rate loss on old problems"),
    ),
    version=3,  # programs come from the surer frame
)


def run(run: StageRun) -> StageReport:
    from voltx_core.alignment.sleep import decide
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import examine, open_judge
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator, measure_core

    config, report, folder = run.config.alignment.sleep, StageReport(), run.inputs["problems"]
    translator = load_translator(run)
    before = SoftCore.load(run.inputs["soft_core_rlvf"], device=run.device)
    core = SoftCore.load(run.inputs["soft_core_rlvf"], device=run.device)
    # New problems: half of the replay split is slept on; what asks for other tasks validates.
    fresh = list(read_problems(folder / "replay.jsonl"))
    old = list(read_problems(folder / "validation.jsonl"))
    train = list(read_problems(folder / "train.jsonl"))
    slept_on = [*fresh[: len(fresh) // 2], *_spread(train, config.replay)][: config.replay]
    slept_tasks = {problem.task for problem in slept_on}
    unseen = [p for p in fresh[len(fresh) // 2 :] if p.task not in slept_tasks]
    if not unseen:
        raise DataError(
            f"All {len(fresh)} problems of {folder / 'replay.jsonl'} ask for tasks that sleep "
            "replays, so nothing could tell whether it helped. Raise data.evaluation_problems."
        )
    with open_judge(run.config) as judge:
        replay = _replay(run, translator, core, judge, slept_on)
        report.counts |= {
            "replayed": len(slept_on),
            "validating": len(unseen),
            "frames that passed": len(replay.good()),
            "frames that failed": len(replay.bad()),
            "verdicts excluded": int(replay.rewards.isnan().sum()),
        }
        _consolidate(run, translator, core, slept_on, replay, report)

        def pass_rates(scope: str, problems: "list[Problem]") -> tuple[float, float]:
            """Before and after."""
            before_it, after_it = (
                examine(
                    run, translator, model, problems, judge, scope=f"{scope}-{when}",
                    variants=("rar",),
                )["rar"].pass_at_1
                for when, model in (("before", before), ("after", core))
            )  # fmt: skip
            return before_it, after_it

        rates = {"old": pass_rates("old", old), "new": pass_rates("new", unseen)}
        verdict = decide(
            old=rates["old"],
            new=rates["new"],
            gain=config.gain_required,
            loss=config.loss_allowed,
        )
        report.tables["before and after sleep"] = [
            {"problems": name, "before": round(b, 4), "after": round(a, 4)}
            for name, (b, a) in rates.items()
        ]
        gained, lost = rates["new"][1] - rates["new"][0], rates["old"][0] - rates["old"][1]
        # Of what is committed: weights that are thrown away have gained and lost nothing.
        report.metrics["new_gain"] = gained if verdict.keep else 0.0
        report.metrics["old_loss"] = max(0.0, lost) if verdict.keep else 0.0
        report.metrics["consolidated"] = float(verdict.keep)
        outcome = "kept" if verdict.keep else "rolled back: the weights of 4.2 are committed"
        report.notes.append(f"Consolidated weights {outcome}; {verdict.why}.")
        kept = core if verdict.keep else before
        kept.save(run.output("soft_core_sleep"))
        _graduate(run, replay, report)
        measure_core(run, translator, kept, judge, report, variants=("rar", "last", "one_shot"))
    return report


def _spread(problems: "list[Problem]", count: int) -> "list[Problem]":
    """Evenly spaced problems, so that every level is replayed."""
    stride = max(1, len(problems) // max(1, count))
    return problems[::stride]


def _replay(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    judge: "Judge",
    problems: "list[Problem]",
) -> "Replay":
    import torch

    from voltx_core.alignment.rewards import pass_rate_reward
    from voltx_core.alignment.sleep import Replay
    from voltx_core.evaluation.verdicts import LastingVerdicts

    queries = [p.query for p in problems]
    query = translator.encode(queries)
    with torch.no_grad():
        reached = core.solve(query).frame
    codes = [written.text for written in translator.write(reached, asked=translator.asked(queries))]
    verdicts = LastingVerdicts(run, judge, "replay")(problems, codes)
    return Replay(query, reached, torch.tensor([pass_rate_reward(v) for v in verdicts]))


def _consolidate(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    problems: "list[Problem]",
    replay: "Replay",
    report: StageReport,
) -> None:
    import torch

    from voltx_core.alignment.sleep import distillation_loss, forward_forward_loss
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.soft_core.flow_matching import soft_core_loss
    from voltx_core.training.loop import Batch, train

    config = run.config.alignment.sleep
    frames = FrameSet.of(translator, problems, run.stop.check)
    good, bad = replay.good(), replay.bad()
    if not len(good) or not len(bad):
        report.notes.append("Forward-Forward not run: replay found only one kind of frame.")

    def some(rows: torch.Tensor, batch: Batch) -> torch.Tensor:
        return rows[torch.randint(len(rows), (config.batch,), generator=batch.generator)]

    def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        total, parts = soft_core_loss(
            core, translator, frames[batch.rows], run.config.soft_core, batch.generator
        )
        logged = {"cosine": parts["cosine"]}
        if len(good):
            rows = some(good, batch)
            distilled = distillation_loss(core, replay.query[rows], replay.reached[rows])
            total, logged["distillation"] = total + distilled, distilled
        if len(good) and len(bad):
            contrast = forward_forward_loss(
                core, replay.reached[some(good, batch)], replay.reached[some(bad, batch)]
            )
            total = total + config.forward_forward_weight * contrast
            logged["forward_forward"] = contrast
        return total, logged

    trained = train(
        run,
        scope="sleep",
        modules={"core": core},
        loss=loss,
        items=len(frames),
        batch=config.batch,
        steps=config.steps,
        optimizer=config.optimizer,
    )
    report.flops = trained.flops
    report.timings_s["training"] = trained.seconds


def _graduate(run: StageRun, replay: "Replay", report: StageReport) -> None:
    """Register groups of similar successful frames with the router as strands of their own."""
    from voltx_core.alignment.sleep import graduate
    from voltx_core.hard_core.router import IntentRouter

    config = run.config.alignment.sleep
    router = IntentRouter.load(run.inputs["router"])
    groups = graduate(
        replay.query[replay.good()].gist().cpu(),
        minimum=config.strand_minimum,
        cosine=config.strand_cosine,
    )
    for number, members in enumerate(groups, 1):
        router.add_strand(f"Pattern{number}", members)
    router.save(run.output("router_sleep"))
    report.counts["strands graduated"] = len(groups)
