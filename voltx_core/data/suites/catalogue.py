"""The published sets by name: which are here, and loading one."""

import difflib
import fnmatch
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from voltx_core.data.compression import bare_name
from voltx_core.data.problem import Problem
from voltx_core.data.suites import (
    apps,
    clrs,
    defects,
    ds1000,
    humaneval,
    humaneval_x,
    mathqa,
    mbpp,
    mbxp,
    multipl_e,
)
from voltx_core.data.suites.answers import AnswerItem
from voltx_core.data.suites.apps import Verify
from voltx_core.data.suites.discovery import find_published
from voltx_core.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Suite:
    """How one set is recognised and converted."""

    pattern: str
    load: Callable[[Path], list[Problem]]
    splits: tuple[str, ...]


SUITES: dict[str, Suite] = {
    "humaneval": Suite(humaneval.PATTERN, humaneval.load_humaneval, humaneval.SPLITS),
    "mbpp": Suite(mbpp.PATTERN, mbpp.load_mbpp, mbpp.SPLITS),
    "mbpp-sanitized": Suite(mbpp.SANITIZED_PATTERN, mbpp.load_mbpp, mbpp.SPLITS),
    "mathqa": Suite(mathqa.PATTERN, mathqa.load_mathqa, mathqa.SPLITS),
    **{
        f"mbxp-{language}": Suite(pattern, partial(mbxp.load_mbxp, language=language), mbxp.SPLITS)
        for language, pattern in mbxp.PATTERNS.items()
    },
    **{
        f"humaneval-x-{language}": Suite(
            pattern,
            partial(humaneval_x.load_humaneval_x, language=language),
            humaneval_x.SPLITS,
        )
        for language, pattern in humaneval_x.PATTERNS.items()
    },
    **{
        f"multipl-e-{language}": Suite(
            pattern, partial(multipl_e.load_multipl_e, language=language), multipl_e.SPLITS
        )
        for language, pattern in multipl_e.PATTERNS.items()
    },
    "ds1000": Suite(ds1000.PATTERN, ds1000.load_ds1000, ds1000.SPLITS),
}
NAMES = (*SUITES, "apps")
"""Sets of programs."""


@dataclass(frozen=True, slots=True)
class AnswerSuite:
    """How one set of questions and answers is recognised and converted."""

    pattern: str
    load: Callable[[Path], list[AnswerItem]]


ANSWER_SUITES: dict[str, AnswerSuite] = {
    "clrs": AnswerSuite(clrs.PATTERN, clrs.load_clrs),
    "defects": AnswerSuite(defects.PATTERN, defects.load_defects),
}


def available_suites(data_dir: Path | str) -> list[str]:
    """Names of the sets whose published files lie below ``data_dir``, in a fixed order."""
    root = Path(data_dir)
    return [name for name in NAMES if _is_here(name, root)]


def available_answer_suites(data_dir: Path | str) -> list[str]:
    """Names of the sets of questions and answers that lie below ``data_dir``."""
    root = Path(data_dir)
    return [name for name, suite in ANSWER_SUITES.items() if find_published(root, suite.pattern)]


def load_answers(name: str, data_dir: Path | str) -> list[AnswerItem]:
    """Load one set of questions and answers, wherever below ``data_dir`` its file lies.

    Raises:
        DataError: unknown name, file absent, ambiguous or not as published.
    """
    if name not in ANSWER_SUITES:
        raise DataError(f"There is no set of answers {name!r}. Known: {', '.join(ANSWER_SUITES)}.")
    root, suite = Path(data_dir), ANSWER_SUITES[name]
    path = find_published(root, suite.pattern)
    if path is None:
        raise _absent(name, root, suite.pattern)
    return suite.load(path)


def recognise(path: Path) -> str | None:
    """The set that publishes files of this name; None for a name that none or several use."""
    bare = bare_name(path)
    patterns = {name: suite.pattern for name, suite in SUITES.items()}
    patterns |= {name: suite.pattern for name, suite in ANSWER_SUITES.items()}
    found = [name for name, pattern in patterns.items() if fnmatch.fnmatchcase(bare, pattern)]
    if bare in apps.FILES:
        found.append("apps")
    return found[0] if len(found) == 1 else None


def load_suite(
    name: str,
    data_dir: Path | str,
    split: str | None = None,
    *,
    verify: Verify | None = None,
) -> list[Problem]:
    """Load one published set, wherever below ``data_dir`` its files lie.

    Args:
        name: one of `NAMES`.
        data_dir: a folder holding published files, plain or compressed.
        split: an official split of that set, or None for all of it.
        verify: when given, a solution it refuses becomes ""; APPS tries its next one first.

    Raises:
        DataError: unknown name or split, files absent, ambiguous or not as published.
    """
    root = Path(data_dir)
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"There is no problem set {name!r}.{hint} Known: {', '.join(NAMES)}.")
    splits = apps.SPLITS if name == "apps" else SUITES[name].splits
    if split is not None and split not in splits:
        raise DataError(f"{name} has no split {split!r}; it has {', '.join(splits)}.")
    if name == "apps":
        problems = apps.load_apps(root, split, verify=verify)
        if not problems and not _is_here(name, root):
            raise _absent(name, root, "train/0000/question.txt or train.jsonl")
        return problems
    suite = SUITES[name]
    path = find_published(root, suite.pattern)
    if path is None:
        raise _absent(name, root, suite.pattern)
    problems = [
        problem for problem in suite.load(path) if split is None or problem.traits["split"] == split
    ]
    return _verified(name, problems, verify) if verify else problems


def _is_here(name: str, root: Path) -> bool:
    if name == "apps":
        return next(apps.iterate_apps(root), None) is not None
    return find_published(root, SUITES[name].pattern) is not None


def _absent(name: str, root: Path, wanted: str) -> DataError:
    here = ", ".join([*available_suites(root), *available_answer_suites(root)]) or "none"
    return DataError(
        f"{root}: no file {wanted} (plain or compressed), so {name!r} cannot be loaded. "
        f"Put it anywhere below this folder. Sets found here: {here}."
    )


def _verified(name: str, problems: list[Problem], verify: Verify) -> list[Problem]:
    kept = [
        problem if not problem.solution or verify(problem) else replace(problem, solution="")
        for problem in problems
    ]
    refused = sum(
        1 for old, new in zip(problems, kept, strict=True) if old.solution != new.solution
    )
    if refused:
        log.warning("%s: %d published solutions do not pass their tests", name, refused)
    return kept
