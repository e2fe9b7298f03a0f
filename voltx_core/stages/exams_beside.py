"""Exams beside the programs of 5.3: answers in words, iterations against an algorithm's steps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voltx_core.stages.contract import StageReport, StageRun

if TYPE_CHECKING:
    from voltx_core.evaluation.examination import System
    from voltx_core.evaluation.exams import Exam
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator


def in_words(run: StageRun, report: StageReport, systems: "Sequence[System]") -> None:
    """CLRS-30 and CodeXGLUE defects, where they are here."""
    from voltx_core.evaluation.answer_exams import answered, read_answers
    from voltx_core.evaluation.exams import spread
    from voltx_core.training.pieces import Pieces

    if not (sets := read_answers(run.inputs["problems"])):
        report.notes.append("CLRS and CodeXGLUE defects were not run: their data is not here.")
        return
    with Pieces(run, "in-words") as pieces:
        for name, items in list(sets.items())[pieces.done :]:
            run.stop.check()
            asked = spread(items, run.config.benchmarks.problems)
            pieces.add(1, rows=[answered(name, asked, systems, seed=run.config.seed)])
    report.tables["Questions answered in words"] = [row for rows in pieces.rows for row in rows]


def iterations_against_steps(
    run: StageRun,
    report: StageReport,
    exams: "Sequence[Exam]",
    translator: "Translator",
    core: "SoftCore",
) -> None:
    """Iterations of the loop against steps: operations composed, and states of CLRS algorithms."""
    from voltx_core.evaluation.answer_exams import read_answers
    from voltx_core.evaluation.exams import spread
    from voltx_core.evaluation.iterations import against_steps, composed, traced

    config = run.config.benchmarks
    items = read_answers(run.inputs["problems"]).get("clrs", [])
    rows = []
    for given in (
        composed([p for exam in exams if not exam.published for p in exam.problems]),
        traced(spread(items, 10 * config.problems)),
    ):
        if not given.queries:
            report.notes.append(f"Iterations against steps: there are no {given.title}.")
            continue
        row = against_steps(
            given,
            core,
            translator,
            resamples=config.bootstrap,
            seed=run.config.seed,
            poll=run.stop.check,
        )
        report.metrics[f"iterations_vs_steps_{given.name}"] = row["Spearman"]
        rows.append(row)
    report.tables["RAR iterations against steps"] = rows
