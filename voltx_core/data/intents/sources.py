"""Material that intents talk about, by source: what is held out, is held out source by source."""

import csv
import io
import random
import re
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from voltx_core.data.compression import iterate_lines, read_bytes
from voltx_core.data.intents.arithmetic import FAMILIES, maths_questions
from voltx_core.data.intents.defects import plant_defect
from voltx_core.data.pairs import FunctionPair, mine_pairs
from voltx_core.data.paraphrase import OPENING
from voltx_core.data.problem import Problem
from voltx_core.data.suites.discovery import published_files
from voltx_core.data.suites.mathqa import PATTERN as MATHQA
from voltx_core.data.suites.mbpp import PATTERN as MBPP
from voltx_core.data.suites.mbpp import load_mbpp
from voltx_core.data.suites.rows import published_rows

Kind = Literal["task", "code", "bug", "maths", "search"]

MOST_PER_SOURCE = 2_000
MOST_TASK_CHARACTERS = 400
MOST_CODE_CHARACTERS = 1_200
STDLIB_MODULES = (
    "bisect", "calendar", "colorsys", "csv", "difflib", "fractions", "functools", "graphlib",
    "heapq", "ipaddress", "random", "shlex", "statistics", "string", "textwrap", "zipfile",
)  # fmt: skip
LEADING_LIST_MARK = re.compile(r"^[\s*>.:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Texts from one place that belong together: a task, its code, the code with a mistake."""

    source: str
    texts: dict[Kind, str]
    exam: bool = False
    """Belongs to an exam: may be asked about in held-out intents only."""


def gather_material(
    problems: Iterable[Problem], *, seed: int, data_dir: Path | None = None
) -> dict[str, list[Material]]:
    """All material by source, each source at most `MOST_PER_SOURCE` long.

    Embedded: the problems (a source per set; of generated ones per first operation), documented
    functions of some standard library modules, families of arithmetic questions. From
    ``data_dir``, where present: MBPP train, GSM8K, MathQA, HumanEvalPack, code refinement, CoSQA
    and CodeSearchNet.
    """
    found: dict[str, list[Material]] = defaultdict(list)
    streams = [_of_problems(problems, seed), _of_stdlib(seed), _of_arithmetic(seed)]
    if data_dir is not None:
        streams += [islice(stream, MOST_PER_SOURCE) for stream in _published(data_dir, seed)]
    for stream in streams:
        for material in stream:
            if material.texts and len(found[material.source]) < MOST_PER_SOURCE:
                found[material.source].append(material)
    return {source: found[source] for source in sorted(found) if found[source]}


def _of_problems(problems: Iterable[Problem], seed: int) -> Iterator[Material]:
    for problem in problems:
        families = problem.traits.get("families")
        source = problem.source or "problems"
        yield _material(
            f"{source}/{families[0]}" if families else source,
            seed,
            task=problem.query,
            code=problem.solution,
            search=_spaced("_".join(families[:2]) if families else problem.entry_point or ""),
            exam=bool(problem.traits.get("exam")),
        )


def _of_stdlib(seed: int) -> Iterator[Material]:
    root = Path(sysconfig.get_path("stdlib"))
    for module in STDLIB_MODULES:
        path = root / f"{module}.py"
        if path.is_file():
            for pair in mine_pairs(path.read_text(encoding="utf-8")):
                yield _of_pair(f"stdlib.{module}", pair, seed)


def _of_arithmetic(seed: int) -> Iterator[Material]:
    for family in FAMILIES:
        for question in maths_questions(family, 200, seed):
            yield Material(source=f"arithmetic/{family}", texts={"maths": question})


def _published(data_dir: Path, seed: int) -> list[Iterator[Material]]:
    return [
        _of_mbpp(data_dir, seed),
        _of_questions(data_dir, "gsm8k", "*.jsonl", "question"),
        _of_questions(data_dir, "mathqa", MATHQA, "description"),
        _of_humanevalpack(data_dir),
        _of_refinement(data_dir),
        _of_cosqa(data_dir),
        _of_search_queries(data_dir),
        _of_functions(data_dir, seed),
    ]


def _of_mbpp(data_dir: Path, seed: int) -> Iterator[Material]:
    for path in published_files(data_dir, MBPP):
        for problem in load_mbpp(path, "train", shown="text"):
            search = _spaced(problem.entry_point or "")
            yield _material("mbpp", seed, task=problem.query, code=problem.solution, search=search)


def _of_questions(data_dir: Path, name: str, pattern: str, key: str) -> Iterator[Material]:
    for path in published_files(data_dir, pattern):
        # "train.jsonl" is everybody's name: the folder or the file must name the set.
        if name in f"{path.parent.name}/{path.name}".lower():
            for row in published_rows(path, key):
                yield Material(source=name, texts={"maths": " ".join(row[key].split())})


def _of_humanevalpack(data_dir: Path) -> Iterator[Material]:
    keys = ("declaration", "docstring", "buggy_solution", "canonical_solution")
    for path in published_files(data_dir, "humanevalpack_python.jsonl"):
        for row in published_rows(path, *keys):
            texts: dict[Kind, str] = {
                "task": row["docstring"].split(">>>")[0],
                "code": row["declaration"] + row["canonical_solution"],
                "bug": row["declaration"] + row["buggy_solution"],
            }
            yield Material(source="humanevalpack", texts=_within_limits(texts), exam=True)


def _of_refinement(data_dir: Path) -> Iterator[Material]:
    for buggy in published_files(data_dir, "*.buggy-fixed.buggy"):
        fixed = next(
            iter(published_files(buggy.parent, f"{buggy.name.split('.')[0]}.buggy-fixed.fixed")),
            None,
        )
        if fixed is None:
            continue
        for (_, wrong), (_, right) in zip(iterate_lines(buggy), iterate_lines(fixed), strict=False):
            texts: dict[Kind, str] = {"bug": wrong.decode(), "code": right.decode()}
            yield Material(source="code_refinement", texts=_within_limits(texts))


def _of_cosqa(data_dir: Path) -> Iterator[Material]:
    for path in published_files(data_dir, "cosqa*.json"):
        for row in published_rows(path, "doc"):
            yield Material(source="cosqa", texts={"search": " ".join(row["doc"].split())})


def _of_search_queries(data_dir: Path) -> Iterator[Material]:
    for path in published_files(data_dir, "codesearchnet_queries.csv"):
        rows = csv.DictReader(io.StringIO(read_bytes(path).decode()))
        for row in rows:
            if query := (row.get("query") or "").strip():
                yield Material(source="codesearchnet", texts={"search": query})


def _of_functions(data_dir: Path, seed: int) -> Iterator[Material]:
    for path in published_files(data_dir, "csn_python_functions.jsonl"):
        for row in published_rows(path, "code"):
            for pair in mine_pairs(row["code"]):
                yield _of_pair("csn_functions", pair, seed)


def _of_pair(source: str, pair: FunctionPair, seed: int) -> Material:
    return _material(
        source,
        seed,
        task=pair.docstring,
        code=pair.code,
        search=_spaced(pair.name.rpartition(".")[2]),
    )


def _material(
    source: str, seed: int, *, task: str, code: str, search: str, exam: bool = False
) -> Material:
    """Material of a task and its code; the mistake is planted here, the key words cut."""
    request = task[opening.end() :] if (opening := OPENING.match(task)) else task
    # The first word decides nothing but the case: most tasks begin with an imperative.
    request = LEADING_LIST_MARK.sub("", request)
    request = request[:1].lower() + request[1:] if request[1:2].islower() else request
    draw = random.Random(f"{seed}/defect/{code}")
    texts: dict[Kind, str] = {
        "task": request,
        "code": code,
        "bug": plant_defect(code, draw) or "",
        "search": search,
    }
    return Material(source=source, texts=_within_limits(texts), exam=exam)


def _spaced(name: str) -> str:
    """A name as the words one would search for: ``parse_HTMLText`` is "parse html text"."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)).lower()


def _within_limits(texts: dict[Kind, str]) -> dict[Kind, str]:
    """Stripped texts; those that are empty or too long to ask about are left out."""
    kept: dict[Kind, str] = {}
    for kind, text in texts.items():
        most = MOST_CODE_CHARACTERS if kind in ("code", "bug") else MOST_TASK_CHARACTERS
        if 0 < len(text.strip()) <= most:
            kept[kind] = text.strip("\n").rstrip() if kind in ("code", "bug") else text.strip()
    return kept
