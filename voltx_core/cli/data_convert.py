"""`voltx data convert`: a published problem set as the problem format of this project."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.data_fetch import Into, data_folder
from voltx_core.cli.options import console, explained
from voltx_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from voltx_core.data.problem import Problem

Suite = Annotated[
    str,
    typer.Argument(
        metavar="SUITE",
        help="humaneval, mbpp, mbpp-sanitized, apps, mathqa, ds1000, mbxp-LANGUAGE, "
        "humaneval-x-LANGUAGE, multipl-e-LANGUAGE.",
    ),
]
Sources = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE...",
        help="Published files (plain, compressed, or parquet as the hub has them), for apps a "
        "folder; by default what is found below the data folder.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Default: SUITE.jsonl in this folder."),
]
Split = Annotated[
    str | None, typer.Option("--split", help="One official split: train, test, validation, ...")
]


@explained()
def convert(
    suite: Suite,
    files: Sources = None,
    out: Out = None,
    split: Split = None,
    data: Into = None,
) -> None:
    """Convert a published problem set to problem JSON lines.

    What comes out can be trained on (--set data.problems=FILE) where licence and split permit it,
    and judged (voltx judge FILE samples.jsonl). Each row's traits say whether it is an exam.

    Examples:

      voltx data convert mbpp --split train -o train.jsonl

      voltx data convert humaneval voltx-data/humaneval/openai_humaneval/*.parquet
    """
    from voltx_core.data.jsonl import write_problems

    problems = _load(suite, files or [], split, data_folder(data))
    if not problems:
        raise DataError(f"{suite} gave no problems{f' of split {split}' if split else ''}.")
    path = out or Path(f"{suite}.jsonl")
    write_problems(path, problems)
    console().print(f"{path}: {len(problems)} problems", markup=False, soft_wrap=True)
    counts = Counter(str(problem.traits.get("split")) for problem in problems)
    for name, count in sorted(counts.items()):
        some = [p for p in problems if str(p.traits.get("split")) == name]
        exam = "an exam" if any(p.traits.get("exam") for p in some) else "no exam"
        allowed = all(p.traits.get("train_allowed") for p in some)
        console().print(
            f"  {name}: {count}, {exam}, {'may' if allowed else 'must not'} be trained on",
            markup=False,
        )


def _load(suite: str, files: list[Path], split: str | None, folder: Path) -> "list[Problem]":
    from voltx_core.data.suites.apps import load_apps
    from voltx_core.data.suites.catalogue import NAMES, SUITES, load_suite

    if not files:
        return load_suite(suite, folder, split)
    if suite == "apps":
        if not all(file.is_dir() for file in files):
            raise ConfigError("apps is converted from a folder: name the one that holds its files.")
        return [problem for folder in files for problem in load_apps(folder, split)]
    if suite not in SUITES:
        raise ConfigError(f"There is no problem set {suite!r}. Known: {', '.join(NAMES)}.")
    if split is not None and split not in SUITES[suite].splits:
        raise ConfigError(
            f"{suite} has no split {split!r}; it has {', '.join(SUITES[suite].splits)}."
        )
    loaded = [problem for file in files for problem in SUITES[suite].load(file)]
    return [p for p in loaded if split is None or p.traits["split"] == split]
