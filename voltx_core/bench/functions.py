"""Real functions to learn from and to be found: this machine's own, and questions people asked.

Functions are mined from the installed packages and the standard library. No package is on both
sides of the split, and a function or docstring that occurs twice is there once, so that vendored
copies do not leak from one side to the other.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from voltx_core.data.harvest import harvest_sources
from voltx_core.data.pairs import FunctionPair, held_out, mine_file, without_docstring

POOL = 1_000
"""Functions of held-out packages that every description is searched among."""
FUNCTIONS_FILE = "code_search/csn_python_functions.jsonl.gz"
QUESTIONS_FILE = "code_search/cosqa-retrieval-dev.json.gz"
TELL_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Functions:
    """Mined (function, docstring) pairs.

    Attributes:
        learn: To train on.
        pool: Held out by package.
    """

    learn: list[FunctionPair]
    pool: list[FunctionPair]


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions that people asked, and functions among which the answers are.

    Attributes:
        texts: The questions.
        codes: All functions, without their docstrings where these could be cut out.
        whole: The same functions as published.
        answers: Place in ``codes`` of each question's answer.
        uncut: How many functions kept their docstring.
    """

    texts: list[str]
    codes: list[str]
    whole: list[str]
    answers: list[int]
    uncut: int


def mine_functions(
    most: int,
    *,
    pool: int = POOL,
    seed: int = 0,
    exclude: Iterable[str] = (),
    tell: Callable[[int], object] = lambda _: None,
) -> Functions:
    """Mine at most ``most`` pairs to learn from, and a pool from other packages.

    Args:
        most: Pairs to learn from.
        pool: Pairs held out.
        seed: Order in which files are read.
        exclude: Functions that must not be learned from, as text.
        tell: Called now and then with the number of pairs so far.
    """
    seen = {_shape(code) for code in exclude}
    learn: list[FunctionPair] = []
    kept: list[FunctionPair] = []
    for file in harvest_sources(seed=seed):
        side, room = (kept, pool) if held_out(file.package or "") else (learn, most)
        if len(side) >= room:
            continue
        for pair in mine_file(file):
            shapes = {_shape(pair.code), _shape(pair.docstring)}
            if len(side) < room and not shapes & seen:
                seen |= shapes
                side.append(pair)
                if (len(learn) + len(kept)) % TELL_EVERY == 0:
                    tell(len(learn) + len(kept))
        if len(learn) >= most and len(kept) >= pool:
            break
    return Functions(learn, kept)


def read_questions(directory: str | None) -> tuple[Questions | None, str]:
    """The questions under a folder of published data sets.

    Returns:
        Them, or None; and where they are from, or why there are none.
    """
    if not directory:
        return None, "VOLTX_DATA_DIR is not set"
    functions, questions = Path(directory, FUNCTIONS_FILE), Path(directory, QUESTIONS_FILE)
    for path in (functions, questions):
        if not path.is_file():
            return None, f"{path} is not there"
    with gzip.open(functions, "rt", encoding="utf-8") as file:
        published = [json.loads(line) for line in file]
    with gzip.open(questions, "rt", encoding="utf-8") as file:
        asked = json.load(file)
    place = {row["idx"]: n for n, row in enumerate(published)}
    asked = [row for row in asked if row["retrieval_idx"] in place]
    whole = [row["code"] for row in published]
    cut = [without_docstring(code) for code in whole]
    found = Questions(
        texts=[row["doc"] for row in asked],
        codes=[code if bare is None else bare for bare, code in zip(cut, whole, strict=True)],
        whole=whole,
        answers=[place[row["retrieval_idx"]] for row in asked],
        uncut=sum(bare is None for bare in cut),
    )
    return found, f"{len(found.texts)} questions of CoSQA among {len(whole)} functions"


def _shape(text: str) -> str:
    """What makes two texts the same: not their case, not their white space."""
    return re.sub(r"\s+", "", text).lower()
