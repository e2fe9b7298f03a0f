"""1.0 Data: source files, docstring pairs, problems with tests, exams, router queries.

    voltx run --until data

Everything the graph learns from passes through here once: harvested, filtered, deduplicated,
checked against the exams, and every generated reference solution executed against its tests.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltx_core.config import VoltxConfig
from voltx_core.errors import DataError
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec

if TYPE_CHECKING:
    from voltx_core.data.problem import Problem

SPEC = StageSpec(
    number="1.0",
    name="data",
    title="Data",
    needs=(),
    makes=(
        Artifact("problems", "problems"),
        Artifact("corpus", "corpus.jsonl"),
        Artifact("pairs", "pairs.jsonl"),
        Artifact("intents", "intents"),
    ),
    reads=("data",),
    judges=True,
    version=2,  # training problems with constants of two digits
)

EXAMS: dict[str, tuple[str, str | None]] = {
    "humaneval": ("humaneval", None),
    "mbpp": ("mbpp", "test"),
    "apps": ("apps", "test"),
}
"""Exam name to published suite and split."""
MIB = 2**20
PARTS = ("validation", "calibration", "heldout", "compositions", "phrasing", "replay")


def external(config: VoltxConfig) -> dict[str, str]:
    """Digests of the machine's sources and of every data file that the settings name."""
    from voltx_core.data.harvest import machine_digest

    outside: dict[str, str] = {}
    if config.data.corpus is None:
        facts = "\n".join(f"{k}={v}" for k, v in sorted(machine_digest().items()))
        outside["machine"] = hashlib.sha256(facts.encode()).hexdigest()
    for name in ("directory", "problems", "corpus"):
        location = getattr(config.data, name)
        if location is not None:
            outside[name] = _digest(Path(location))
    return outside


def run(run: StageRun) -> StageReport:
    report = StageReport()
    parts = _problems(run, report)
    folder = run.output("problems")
    _write_parts(parts, folder, report)
    _corpus(run, report)
    _intents(run, parts["train"], report)
    return report


def _problems(run: StageRun, report: StageReport) -> "dict[str, list[Problem]]":
    """Generated, published and own problems; exams aside; overlap with exams removed."""
    from voltx_core.data.generator import SplitCounts, generate_problems
    from voltx_core.data.overlap import find_overlap, remove_overlap

    config, held_out = run.config.data, run.config.data.evaluation_problems
    own = _own(run, report)  # first: a bad line is said before an hour of work, not after it
    parts = generate_problems(
        run.config.seed,
        SplitCounts(
            train=config.generated_problems,
            validation=held_out,
            calibration=3 * held_out,
            heldout=held_out,
            compositions=held_out,
            phrasing=held_out,
            replay=2 * held_out,
        ),
    )
    for name, problems in parts.items():
        parts[name] = _verified(run, problems, f"generated {name}", report)
    exams = _published(run, report)
    extra = exams.pop("train", [])
    extra += _verified(run, own, "own problems", report)
    overlap = find_overlap(extra + parts["train"], exams, n=config.overlap_ngrams)
    if config.allow_contamination:
        extra += [p for name in exams for p in exams[name] if p.solution]
        report.notes.append("data.allow_contamination is on: exams were trained on.")
    else:
        before = len(extra) + len(parts["train"])
        extra = remove_overlap(extra, overlap)
        parts["train"] = remove_overlap(parts["train"], overlap)
        report.counts["dropped: overlap with an exam"] = before - len(extra) - len(parts["train"])
    augmented = _augmented(run, extra, report)
    if not config.allow_contamination:  # another wording or name can bring an overlap about
        again = find_overlap(augmented, exams, n=config.overlap_ngrams)
        kept = remove_overlap(augmented, again)
        report.counts["dropped: augmented into an overlap"] = len(augmented) - len(kept)
        augmented = kept
    parts["train"] += augmented
    for name, problems in exams.items():
        parts[f"exams/{name}"] = problems
    return parts


def _own(run: StageRun, report: StageReport) -> "list[Problem]":
    """The user's problems; bad lines are counted and named where they may be left out."""
    from voltx_core.data.jsonl import BadLines, read_problems

    config = run.config.data
    if not config.problems:
        return []
    bad = BadLines()
    problems = list(read_problems(config.problems, on_bad=config.on_bad, report=bad))
    if bad.count:
        report.counts["own problems: bad lines left out"] = bad.count
        report.notes.append(f"{bad.count} bad lines of {config.problems} were left out.")
    return problems


def _published(run: StageRun, report: StageReport) -> "dict[str, list[Problem]]":
    """Training problems (key ``train``) and exams of the published sets that are here."""
    from voltx_core.data.suites import available_suites, load_suite

    found: dict[str, list[Problem]] = {"train": []}
    if run.config.data.directory is None:
        report.notes.append(
            "No published data sets (VOLTX_DATA_DIR is not set): HumanEval, MBPP and APPS not run."
        )
        return found
    directory = Path(run.config.data.directory)
    here = available_suites(directory)
    for exam, (suite, split) in EXAMS.items():
        if suite in here:
            problems = load_suite(suite, directory, split)
            if problems:
                found[exam] = problems
    if "mbpp" in here:
        train = load_suite("mbpp", directory, "train")
        found["train"] += _verified(run, train, "MBPP train", report)
    if "apps" in here:
        train = [
            problem
            for problem in load_suite("apps", directory, "train")
            if problem.solution and problem.difficulty in run.config.data.apps_levels
        ]
        found["train"] += _verified(run, train, "APPS train", report)
    return found


def _verified(
    run: StageRun, problems: "Sequence[Problem]", title: str, report: StageReport
) -> "list[Problem]":
    """Problems whose reference passes its own tests; the others are counted and named."""
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.evaluation.verdicts import LastingVerdicts

    if not problems:
        return []
    # Phrasings of one task share solution and tests: each pair is executed once.
    distinct = {(p.solution, p.tests): p for p in problems}
    with open_judge(run.config) as judge:
        executed = LastingVerdicts(run, judge, f"references-{title.replace(' ', '-')}")
        verdicts = executed(list(distinct.values()), [code for code, _ in distinct])
    passed = {key for key, verdict in zip(distinct, verdicts, strict=True) if verdict.passed}
    kept = [p for p in problems if (p.solution, p.tests) in passed]
    dropped = [p.id for p in problems if (p.solution, p.tests) not in passed]
    report.counts[f"{title}: verified"] = len(kept)
    if dropped:
        report.counts[f"{title}: reference fails"] = len(dropped)
        report.notes.append(f"{title}: the reference fails its tests: {', '.join(dropped[:8])}")
    return kept


def _augmented(
    run: StageRun, problems: "Sequence[Problem]", report: StageReport
) -> "list[Problem]":
    """Each published problem with its renamed and paraphrased versions, all verified."""
    from random import Random

    from voltx_core.data.augmentation import augment
    from voltx_core.training.randomness import derive

    if not problems or run.config.data.augmentation == 1:
        return list(problems)
    versions = [
        version
        for problem in problems
        for version in augment(
            problem,
            Random(derive(run.config.seed, "augment", problem.id)),
            run.config.data.augmentation,
        )
    ]
    return _verified(run, versions, "augmented", report)


def _write_parts(
    parts: "Mapping[str, Sequence[Problem]]", folder: Path, report: StageReport
) -> None:
    from voltx_core.data.jsonl import write_problems

    for name, problems in parts.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_problems(path, problems)
        report.counts[f"problems: {name}"] = len(problems)
    levels = Counter(str(p.difficulty) for p in parts["train"])
    report.tables["training problems by level"] = [
        {"level": level, "problems": count} for level, count in sorted(levels.items())
    ]
    missing = [name for name in PARTS if not parts.get(name)]
    if missing:
        raise DataError(f"No problems for {', '.join(missing)}; raise data.evaluation_problems.")


def _corpus(run: StageRun, report: StageReport) -> None:
    """Source files, filtered and without near-duplicates, and the docstring pairs in them."""
    from voltx_core.data.corpus import read_corpus
    from voltx_core.data.filters import FilterReport, filter_sources
    from voltx_core.data.harvest import harvest_sources
    from voltx_core.data.jsonl import write_jsonl
    from voltx_core.data.near_duplicates import DuplicateReport, drop_near_duplicates
    from voltx_core.data.pairs import mine_pairs

    config = run.config.data
    source: Any
    if config.corpus:
        source = read_corpus(config.corpus)
    else:
        source = harvest_sources(
            max_files=2 * config.corpus_files,
            max_bytes=2 * config.corpus_mib * 2**20,
            seed=run.config.seed,
        )
    filtered, duplicates = FilterReport(), DuplicateReport()
    kept: list[Any] = []
    size = 0
    for file in drop_near_duplicates(
        filter_sources(source, report=filtered), seed=run.config.seed, report=duplicates
    ):
        run.stop.check()
        kept.append(file)
        size += len(file.text.encode())
        if len(kept) % 50 == 0:
            run.observer.progress(len(kept), config.corpus_files, "files", "corpus")
        if len(kept) >= config.corpus_files or size >= config.corpus_mib * 2**20:
            break
    if not kept:
        raise DataError("The corpus is empty: every file was filtered out. Check data.corpus.")
    write_jsonl(
        run.output("corpus"),
        ({"content": f.text, "language": f.language, "package": f.package} for f in kept),
    )
    pairs: list[dict[str, str]] = []
    for file in kept:
        if file.language == "python":
            pairs += [
                {"code": p.code, "doc": p.docstring, "package": file.package, "name": p.name}
                for p in mine_pairs(file.text)
            ]
        if len(pairs) >= config.pairs:
            break
    write_jsonl(run.output("pairs"), pairs[: config.pairs])
    report.counts |= {
        "corpus files": len(kept),
        "corpus KiB": size // 1024,
        "pairs": len(pairs[: config.pairs]),
    }
    dropped = [
        *sorted(filtered.dropped.items()),
        ("same tokens as another", duplicates.exact),
        ("near-duplicate", duplicates.near),
    ]
    report.tables["dropped source files"] = [
        {"reason": reason, "files": count} for reason, count in dropped
    ]


def _intents(run: StageRun, problems: "Sequence[Problem]", report: StageReport) -> None:
    from voltx_core.data.intents import build_intents
    from voltx_core.data.jsonl import write_jsonl

    config = run.config.data
    directory = Path(config.directory) if config.directory else None
    intents = build_intents(
        problems,
        count=config.intents,
        held_out=config.held_out_intents,
        seed=run.config.seed,
        data_dir=directory,
    )
    for part, rows in intents.items():
        path = run.output("intents") / f"{part}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(
            path,
            (
                {
                    "text": i.text,
                    "strands": list(i.strands),
                    "template": i.template,
                    "source": i.source,
                }
                for i in rows
            ),
        )
        report.counts[f"intents: {part}"] = len(rows)


def _digest(location: Path) -> str:
    """sha256 over a file's bytes, or over names, sizes, first and last MiB of a folder's files.

    Reading all of a corpus of 100 GB on every plan would take minutes.
    """
    if location.is_file():
        with location.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not location.is_dir():
        raise DataError(
            f"{location} does not exist. Check data.directory, data.problems, data.corpus and the "
            "variable VOLTX_DATA_DIR."
        )
    lines = sorted(
        f"{path.relative_to(location)} {path.stat().st_size} {_ends(path)}"
        for path in location.rglob("*")
        if path.is_file()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _ends(path: Path) -> str:
    """sha256 of a file's first and last MiB."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(MIB))
        if path.stat().st_size > MIB:
            file.seek(-MIB, os.SEEK_END)
            digest.update(file.read(MIB))
    return digest.hexdigest()
