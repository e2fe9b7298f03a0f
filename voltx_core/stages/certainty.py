"""3.2 Certainty: P(all tests pass), calibrated on what really passed.

    voltx run --until certainty

The calibration problems are solved greedily and once more by sampling; the programs are judged;
half of the problems fit the certainty, the other half say how honest it is.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.errors import Interrupted
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from voltx_core.data.problem import Problem
    from voltx_core.hard_core.certainty import Nearest
    from voltx_core.judge import Judge
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

SPEC = StageSpec(
    number="3.2",
    name="certainty",
    title="Certainty",
    needs=(
        "problems",
        "tokenizer",
        "encoder",
        "decoder",
        "soft_core",
        "codebook",
        "codebook_index",
    ),
    makes=(Artifact("certainty", "certainty.json"),),
    reads=("certainty", "soft_core"),
    judges=True,
    targets=(Target("ece", "<", 0.08, "expected calibration error, held-out problems"),),
    version=3,  # programs come from the surer frame
)
CHUNK = 64
"""Problems solved and judged between two looks at the clock."""
TEMPERATURE = 0.8
WANTED_POINTS = 500
"""Held-out points below which the calibration error is mostly noise."""


def run(run: StageRun) -> StageReport:
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.calibration import calibrate, draw_reliability
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.hard_core.certainty import FEATURES, Certainty
    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator

    config, report = run.config.certainty, StageReport()
    codebook = Codebook.load(run.inputs["codebook"])
    index = CodebookIndex.load(run.inputs["codebook_index"], codebook)
    core = SoftCore.load(run.inputs["soft_core"], device=run.device)
    problems = list(read_problems(run.inputs["problems"] / "calibration.jsonl"))
    with open_judge(run.config) as judge:
        values, passed = solve(run, load_translator(run), core, index, judge, problems)
    groups = task_of_point(problems)
    held_out = groups % 2 == 1
    certainty = Certainty.fit(
        values[~held_out],
        passed[~held_out],
        groups[~held_out],
        isotonic_minimum=config.isotonic_minimum,
    )
    certainty.save(run.output("certainty"))
    gamma = certainty.gamma(values[held_out])
    found = calibrate(gamma, passed[held_out], bins=config.bins)
    report.metrics |= {
        "ece": found.ece,
        "brier": found.brier,
        "brier_skill": found.brier_skill,
        "auroc": found.auroc,
        "pass_rate": found.pass_rate,
        "mean_certainty": float(gamma.mean()),
    }
    report.counts |= {
        "problems": len(problems),
        "fitting points": certainty.points,
        "held-out points": found.points,
    }
    report.tables["reliability, held-out problems"] = found.table()
    report.tables["what gamma looks at"] = [
        {"feature": name, "weight": round(weight, 3), "mean": round(mean, 4)}
        for name, weight, mean in zip(FEATURES, certainty.weights, certainty.mean, strict=True)
    ]
    report.tables["calibration methods, cross-validated"] = [
        {"method": name, "log-loss": round(loss, 4), "chosen": name == certainty.method}
        for name, loss in (certainty.log_losses or {}).items()
    ]
    report.notes += _remarks(certainty.method, found.pass_rate, found.points, config)
    path = run.figure("reliability")
    draw_reliability(found, path, title="Certainty, held-out problems")
    run.observer.figure("reliability", path)
    return report


def solve(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    codebook: "Nearest",
    judge: "Judge",
    problems: "Sequence[Problem]",
    *,
    scope: str = "points",
) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """Solve and judge every problem twice: greedily and by one sample.

    Progress is saved under ``scope``; a restarted stage goes on at the next chunk.

    Returns:
        Features ``[2P, F]`` and outcomes ``[2P]``, in the order of ``task_of_point``.
    """
    import torch

    saved = run.checkpoints.restore(scope)
    done = saved.step if saved else 0
    rows: list[Tensor] = [saved.tensors["values"]] if saved else []
    outcomes: list[Tensor] = [saved.tensors["passed"]] if saved else []

    def save() -> None:
        if rows:
            tensors = {"values": torch.cat(rows), "passed": torch.cat(outcomes)}
            run.checkpoints.save(scope, done, tensors, {})

    while done < len(problems):
        chunk = problems[done : done + CHUNK]
        try:
            run.stop.check()
            values, passed = _solve_chunk(run, translator, core, codebook, judge, chunk, done)
        except Interrupted:
            save()
            raise
        rows.append(values)
        outcomes.append(passed)
        done += len(chunk)
        run.observer.progress(done, len(problems), "problems", "solving")
        if done < len(problems) and run.checkpoints.due():
            save()
    return torch.cat(rows).numpy(), torch.cat(outcomes).numpy()


def task_of_point(problems: "Sequence[Problem]") -> "NDArray[np.int64]":
    """Number of the task of each point of ``solve``; phrasings of one task share it."""
    import numpy as np

    numbers = {task: n for n, task in enumerate(dict.fromkeys(p.task for p in problems))}
    tasks = np.array([numbers[problem.task] for problem in problems])
    parts = [np.tile(tasks[start : start + CHUNK], 2) for start in range(0, len(tasks), CHUNK)]
    return np.concatenate(parts)


def _solve_chunk(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    codebook: "Nearest",
    judge: "Judge",
    problems: "Sequence[Problem]",
    start: int,
) -> "tuple[Tensor, Tensor]":
    """Features and outcomes of the greedy programs, then of the sampled ones."""
    import torch

    from voltx_core.evaluation.frames import judge_codes
    from voltx_core.hard_core.certainty import features
    from voltx_core.soft_core.surest import answer
    from voltx_core.training.randomness import generator

    queries = [problem.query for problem in problems]
    query, asked = translator.encode(queries), translator.asked(queries)
    with torch.no_grad():
        surer = answer(core, translator, query, asked)
        sampled = translator.write(
            surer.trajectory.frame,
            asked=asked,
            temperature=TEMPERATURE,
            generator=generator(run.config.seed, "certainty", "sample", start),
        )
    values, passed = [], []
    for written in (surer.written, sampled):
        values.append(features(surer.trajectory, written, codebook, budget=core.config.rar_budget))
        verdicts = judge_codes(judge, run.config, problems, [w.text for w in written], run.stop)
        passed += [verdict.passed for verdict in verdicts]
    return torch.cat([torch.from_numpy(v) for v in values]), torch.tensor(passed)


def _remarks(method: str, pass_rate: float, points: int, config: Any) -> list[str]:
    """What a reader of the figures must know."""
    notes = []
    if method == "constant":
        notes.append(
            "Passes and failures could not be told apart on the fitting half (too few of one "
            "kind): gamma is one constant, and its calibration error says little."
        )
    if pass_rate in (0.0, 1.0):
        notes.append(
            f"Every held-out program {'passed' if pass_rate else 'failed'}: AUROC is not defined "
            "and a low calibration error is trivial."
        )
    if points < WANTED_POINTS:
        notes.append(
            f"{points} held-out points for {config.bins} bins: below {WANTED_POINTS} the "
            "calibration error is mostly noise."
        )
    return notes
