"""1.0 Data: source files, docstring pairs, problems with tests, exams, router queries.

    voltx run --until data

Everything the graph learns from passes through here once: harvested, filtered, deduplicated,
checked against the exams, and every generated reference solution executed against its tests.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    version=3,  # exams in other languages
)

PARTS = ("validation", "calibration", "heldout", "compositions", "phrasing", "replay")


def external(config: VoltxConfig) -> dict[str, str]:
    """Digests of the machine's sources and of every data file that the settings name."""
    from voltx_core.data.harvest import machine_digest
    from voltx_core.data.location import digest_of

    outside: dict[str, str] = {}
    if config.data.corpus is None:
        facts = "\n".join(f"{k}={v}" for k, v in sorted(machine_digest().items()))
        outside["machine"] = hashlib.sha256(facts.encode()).hexdigest()
    for name in ("directory", "problems", "corpus"):
        location = getattr(config.data, name)
        if location is not None:
            variable = " and the variable VOLTX_DATA_DIR" if name == "directory" else ""
            outside[name] = digest_of(Path(location), named_by=f"data.{name}{variable}")
    return outside


def run(run: StageRun) -> StageReport:
    from voltx_core.data.exams import write_answers

    report = StageReport()
    parts = _problems(run, report)
    folder = run.output("problems")
    _write_parts(parts, folder, report)
    if run.config.data.directory is not None:
        written = write_answers(Path(run.config.data.directory), folder / "answers")
        report.counts |= {f"questions: {name}": count for name, count in written.items()}
    _corpus(run, report)
    _intents(run, parts["train"], report)
    return report


def _problems(run: StageRun, report: StageReport) -> "dict[str, list[Problem]]":
    """Generated, published and own problems; exams aside; overlap with exams removed."""
    from voltx_core.data.overlap import find_overlap, remove_overlap

    config = run.config.data
    own = _own(run, report)  # first: a bad line is said before an hour of work, not after it
    parts = _generated(run)
    for name, problems in parts.items():
        parts[name] = _verified(run, problems, f"generated {name}", report)
    exams = _published(run, report)
    extra = exams.pop("train", [])
    extra += _verified(run, own, "own problems", report)
    overlap = find_overlap(
        extra + parts["train"], exams, n=config.overlap_ngrams, poll=run.stop.check
    )
    if config.allow_contamination:
        extra += [p for name in exams for p in exams[name] if p.solution and p.language == "python"]
        report.notes.append("data.allow_contamination is on: exams were trained on.")
    else:
        before = len(extra) + len(parts["train"])
        extra = remove_overlap(extra, overlap)
        parts["train"] = remove_overlap(parts["train"], overlap)
        report.counts["dropped: overlap with an exam"] = before - len(extra) - len(parts["train"])
    augmented = _augmented(run, extra, report)
    if not config.allow_contamination:  # another wording or name can bring an overlap about
        again = find_overlap(augmented, exams, n=config.overlap_ngrams, poll=run.stop.check)
        kept = remove_overlap(augmented, again)
        report.counts["dropped: augmented into an overlap"] = len(augmented) - len(kept)
        augmented = kept
    parts["train"] += augmented
    for name, problems in exams.items():
        parts[f"exams/{name}"] = problems
    return parts


def _generated(run: StageRun) -> "dict[str, list[Problem]]":
    """The generated problems by split, made once."""
    from voltx_core.data.generator import SplitCounts, generate_problems
    from voltx_core.data.jsonl import problem_from_row, row_from_problem
    from voltx_core.training.pieces import Pieces

    config, held_out = run.config.data, run.config.data.evaluation_problems
    with Pieces(run, "generated") as pieces:
        if not pieces.done:
            made = generate_problems(
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
                poll=run.stop.check,
            )
            rows = [[part, row_from_problem(p)] for part, found in made.items() for p in found]
            pieces.add(len(rows), rows=rows)
            return made
    parts: dict[str, list[Problem]] = {}
    for name, row in pieces.rows:
        parts.setdefault(name, []).append(problem_from_row(row))
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
    from voltx_core.data.exams import exams_below
    from voltx_core.data.suites import available_suites, load_suite

    found: dict[str, list[Problem]] = {"train": []}
    if run.config.data.directory is None:
        report.notes.append(
            "No published data sets (VOLTX_DATA_DIR is not set): HumanEval, MBPP and APPS not run."
        )
        return found
    directory = Path(run.config.data.directory)
    here = available_suites(directory)
    found |= exams_below(directory)
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
    from voltx_core.training.pieces import watched
    from voltx_core.training.randomness import derive

    if not problems or run.config.data.augmentation == 1:
        return list(problems)
    versions = [
        version
        for problem in watched(run.stop, problems)
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
    from voltx_core.data.cleaning import CleaningReport
    from voltx_core.data.jsonl import write_jsonl
    from voltx_core.stages.sources import docstring_pairs, kept_sources

    corpus, cleaning = run.output("corpus"), CleaningReport()
    kept = Counter[str]()

    def rows() -> Iterator[dict[str, str | None]]:
        for file in kept_sources(run, cleaning):
            kept["files"] += 1
            kept["bytes"] += len(file.text.encode())
            yield {"content": file.text, "language": file.language, "package": file.package}

    write_jsonl(corpus, rows())
    if not kept["files"]:
        raise DataError("The corpus is empty: every file was filtered out. Check data.corpus.")
    pairs = docstring_pairs(run, corpus)
    write_jsonl(run.output("pairs"), pairs)
    report.counts |= {
        "corpus files": kept["files"],
        "corpus KiB": kept["bytes"] // 1024,
        "pairs": len(pairs),
    }
    dropped = [
        *sorted(cleaning.filtered.dropped.items()),
        ("same tokens as another", cleaning.duplicates.exact),
        ("near-duplicate", cleaning.duplicates.near),
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
