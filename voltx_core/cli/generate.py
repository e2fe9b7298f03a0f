"""``voltx generate``: ask the trained model for a program."""

import ast
import builtins
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained
from voltx_core.errors import ConfigError, StageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from voltx_core.generation import Generated
    from voltx_core.stages.workspace import Workspace

SAMPLING_TEMPERATURE = 0.8
"""Used when several samples are asked for and no temperature: greedy ones would all be equal."""
NEAREST_SHOWN = 5

Query = Annotated[str, typer.Argument(metavar="REQUEST", help="What the program should do.")]
Tests = Annotated[
    list[str],
    typer.Option(
        "--test",
        "-t",
        metavar="CODE",
        help="A test the program must pass, e.g. [b]'assert solve([1, 2]) == [4]'[/b]. It runs "
        "isolated from this machine. May be repeated.",
    ),
]
Run = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Whose model; default: the newest run that has one."),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FOLDER",
        help="An exported model (voltx export); no store is needed then.",
    ),
]
Samples = Annotated[int, typer.Option("--samples", "-n", min=1, max=1000, help="Programs to draw.")]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        min=0.0,
        max=2.0,
        help=f"0 is greedy; default 0 for one sample, {SAMPLING_TEMPERATURE} for several.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides the samples.")]


@explained()
def generate(
    query: Query,
    tests: Tests = [],  # noqa: B006 (typer copies it)
    run: Run = None,
    model: Model = None,
    samples: Samples = 1,
    temperature: Temperature = None,
    seed: Seed = 0,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Ask the trained model for a program, and show all it knows about its answer.

    The answer comes with γ (the model's own estimate that it is right), the
    strand the request was routed to, the RAR iterations of the soft core, the
    nearest codebook entries, the safety review, and the verdict of your tests.
    Of several samples the best is shown: one that passes your tests, else the
    one with the highest γ.

    Examples:

      voltx generate "return the squares of the even numbers"

      voltx generate "return the sum" --test "assert solve([1, 2]) == 3"

      voltx generate "reverse the text" -n 20 -t "assert solve('ab') == 'ba'"

      voltx generate "return the largest" --model my-model

      voltx generate "return the largest" --json | jq -r '.answers[0].code'
    """
    if not query.strip():
        raise ConfigError('The request is empty. Say what the program should do, e.g. "add two".')
    if model and (run or store):
        raise ConfigError("--model names a model by itself: leave --run and --store out.")
    called = entry_point(tests)
    run_id, artifacts = _exported(model) if model else _stored(run, store)
    if temperature is None:
        temperature = 0.0 if samples == 1 else SAMPLING_TEMPERATURE
    answers = _answers(artifacts, query, tests, called, samples, temperature, seed)
    ranked = sorted(answers, key=_merit, reverse=True)
    if as_json:
        found = [asdict(answer) for answer in ranked]
        print(json.dumps({"run": run_id, "query": query, "answers": found}, indent=1))
    else:
        _show(run_id, ranked, tests)


def _exported(folder: Path) -> tuple[str, dict[str, Path]]:
    from voltx_core.release.model_folder import open_model, run_of

    return run_of(folder), open_model(folder)


def _stored(run: str | None, store: str | None) -> tuple[str, dict[str, Path]]:
    from voltx_core.generation import ARTIFACTS
    from voltx_core.stages import lineage
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open(store)
    run_id = run or trained_run(workspace)
    return run_id, lineage.fetch(run_id, ARTIFACTS, workspace)


def trained_run(workspace: "Workspace") -> str:
    """The newest run that has a whole model.

    A run that is still under way has none yet; where there is no other, it is named, and whoever
    wants its model is told what is missing.

    Raises:
        StageError: There is no run at all.
    """
    from voltx_core.generation import ARTIFACTS
    from voltx_core.stages import lineage
    from voltx_core.stages.runs import latest

    run_id = lineage.newest_with(ARTIFACTS, workspace) or latest(workspace.artifacts)
    if run_id is None:
        raise StageError(
            f"{workspace.url} holds no trained model yet. Train one: voltx run --watch."
        )
    return run_id


def entry_point(tests: Sequence[str]) -> str | None:
    """The function that tests call: the first called name that Python does not have itself.

    Raises:
        ConfigError: A test is no Python, or asserts nothing.
    """
    for test in tests:
        try:
            tree = ast.parse(test)
        except SyntaxError as error:
            raise ConfigError(
                f"The test {test!r} is not Python ({error.msg}). Write for example: "
                f"--test 'assert solve([1, 2]) == 3'."
            ) from error
        if not any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(tree)):
            raise ConfigError(
                f"The test {test!r} asserts nothing, so that any program would pass it. Write for "
                f"example: --test 'assert solve([1, 2]) == 3'."
            )
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                if not hasattr(builtins, name):
                    return name
    return None


def _answers(
    artifacts: dict[str, Path],
    query: str,
    tests: Sequence[str],
    called: str | None,
    samples: int,
    temperature: float,
    seed: int,
) -> "list[Generated]":
    from contextlib import nullcontext

    from voltx_core.data.problem import Problem
    from voltx_core.generation import Generator
    from voltx_core.judge import Judge
    from voltx_core.stages.machine import pin_threads
    from voltx_core.training.randomness import generator

    pin_threads(1)  # a second one wins nothing at this size, and changes the last bits
    model = Generator.load(artifacts)
    problem = Problem(
        id="request", query=query, solution="", tests=tuple(tests), entry_point=called
    )
    with Judge(workers=1) if tests else nullcontext() as judge:
        return model.answer(
            [problem] * samples,
            judge=judge,
            temperature=temperature,
            generator=generator(seed, "generate"),
        )


def _merit(answer: "Generated") -> tuple[bool, float, bool, float]:
    """Better answers are larger: passes the tests, passes more of them, is a program, γ."""
    verdict = answer.verdict
    return (
        verdict is not None and verdict.passed,
        verdict.pass_rate if verdict else 0.0,
        answer.valid,
        answer.gamma,
    )


def _show(run_id: str, ranked: "Sequence[Generated]", tests: Sequence[str]) -> None:
    from rich.panel import Panel
    from rich.syntax import Syntax

    best, out = ranked[0], console()
    code: RenderableType = (
        Syntax(best.code.rstrip(), "python", theme="ansi_dark", background_color="default")
        if best.code
        else "[bold red]refused[/]: no program was written"
    )
    subtitle = f"run {run_id}" + (f", best of {len(ranked)} samples" if len(ranked) > 1 else "")
    out.print(Panel(code, title=best.query, subtitle=subtitle, expand=False, padding=(1, 2)))
    out.print(_facts(best, tests))
    if len(ranked) > 1:
        out.print()
        out.print(_samples(ranked))
    if not tests:
        out.print("\nNothing was executed. Try it: [bold]--test 'assert solve(...) == ...'[/]")


def _facts(answer: "Generated", tests: Sequence[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    rows = [
        ("γ", f"{answer.gamma:.2f}, the model's own estimate that all tests pass"),
        ("route", " › ".join(answer.strands) or "no strand"),
        (
            "RAR",
            f"{answer.iterations} iterations, "
            + ("converged" if answer.converged else "budget spent before it stood still")
            + ("" if answer.moved else "; the decoder was surer of the query's own frame"),
        ),
        ("syntax", "valid Python" if answer.valid else "not valid Python"),
        ("codebook", _nearest(answer)),
        ("safety", _review(answer)),
    ]
    if tests:
        rows.append(("tests", _verdict(answer)))
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


def _nearest(answer: "Generated") -> str:
    closest = sorted(answer.nearest, key=lambda entry: -entry.cosine)[:NEAREST_SHOWN]
    shown = ", ".join(f"{entry.role} #{entry.entry} ({entry.cosine:.2f})" for entry in closest)
    rest = len(answer.nearest) - len(closest)
    return (shown or "none") + (f" and {rest} more slots" if rest else "")


def _review(answer: "Generated") -> str:
    review = answer.review
    what = ", ".join(str(axiom) for axiom in review.axioms)
    why = "; ".join(review.reasons)
    if not review.safe:
        return f"refused by {' and '.join(review.by)}: {what} ({why})"
    return f"passed with a warning: {what} ({why})" if review.axioms else "passed"


def _verdict(answer: "Generated") -> str:
    verdict = answer.verdict
    if verdict is None:
        return "not executed"
    text = f"{verdict.outcome}, {verdict.tests_passed} of {verdict.tests_total} passed"
    if verdict.detail:
        text += f": {verdict.detail.strip().splitlines()[-1]}"
    return f"{text} (isolation {verdict.level})" if verdict.level else text


def _samples(ranked: "Sequence[Generated]") -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("sample", "γ", "syntax", "tests", "distinct program"):
        table.add_column(name)
    seen: dict[str, int] = {}
    for index, answer in enumerate(ranked, 1):
        first = seen.setdefault(answer.code, index)
        tests = "" if answer.verdict is None else str(answer.verdict.outcome)
        table.add_row(
            str(index),
            f"{answer.gamma:.2f}",
            "valid" if answer.valid else "no",
            tests,
            "yes" if first == index else f"same as {first}",
        )
    return table
