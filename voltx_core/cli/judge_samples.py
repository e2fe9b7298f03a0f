"""Scoring samples from the command line: read, judge, write the report, show the table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltx_core.cli.countdown import countdown
from voltx_core.cli.options import console
from voltx_core.errors import ConfigError, DataError
from voltx_core.store.digest import sha256_file

if TYPE_CHECKING:
    from voltx_core.data.suites import ProblemSet
    from voltx_core.data.suites.samples import Sample
    from voltx_core.evaluation.score_card import ScoreCard
    from voltx_core.judge import Limits

NAMED = 8
"""Tasks that a message names before it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How programs are run: side by side, isolated, limited."""

    limits: "Limits"
    workers: int | None
    level: str


def score_samples(
    problems: "ProblemSet",
    samples_path: Path,
    settings: Settings,
    *,
    ks: Sequence[int],
    report_path: Path | None,
    fresh: bool,
    partial: bool,
) -> dict[str, Any]:
    """Judge what is not judged yet, write the report, and return it.

    Raises:
        DataError: samples are unreadable, or some tasks have none and ``partial`` is off.
        ConfigError: a k larger than the number of samples, or a ledger made on other terms.
    """
    from voltx_core.data.suites.samples import read_samples
    from voltx_core.evaluation.ledger import Ledger
    from voltx_core.evaluation.score_card import choose_k, score
    from voltx_core.evaluation.scoring import judge_samples, terms_of
    from voltx_core.judge import Judge

    samples = read_samples(samples_path, problems)
    counts = _count(samples)
    missing = [task.id for task in problems.tasks if task.id not in counts]
    if missing and not partial:
        raise DataError(
            f"{samples_path}: {len(missing)} of {len(problems.tasks)} tasks of {problems.name} "
            f"have no sample: {_named(missing)}. A score over the others would not be comparable: "
            f"add samples, or say --partial to score what is there."
        )
    ks = choose_k(ks, counts)
    place = report_path or _beside(samples_path)
    if place.suffix != ".json":
        raise ConfigError(f"--report is {str(place)!r}; its name must end in .json.")
    with Judge(workers=settings.workers, level=settings.level) as judge:
        terms = terms_of(problems.tasks, judge, settings.limits)
        with Ledger(place.with_suffix(".jsonl"), terms, fresh=fresh) as ledger:
            _tell_resumed(ledger)
            with countdown("judging") as show:
                results = judge_samples(
                    samples, judge, ledger, limits=settings.limits, on_progress=show
                )
        level = judge.level
    card = score(results, ks)
    report = _report(problems, samples_path, samples, missing, card, settings, level)
    write_report(place, report)
    return report | {"report": str(place)}


def parse_ks(text: str) -> tuple[int, ...]:
    """``1,10`` as numbers.

    Raises:
        ConfigError: something else is there.
    """
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise ConfigError(
            f"--k is {text!r}; write numbers with commas between them, e.g. --k 1,10"
        ) from None


def _count(samples: "Sequence[Sample]") -> dict[str, int]:
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample.task.id] = counts.get(sample.task.id, 0) + 1
    return counts


def _named(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _beside(samples_path: Path) -> Path:
    stem = samples_path.name.removesuffix(".gz")
    for ending in (".jsonl", ".json"):
        stem = stem.removesuffix(ending)
    return samples_path.parent / f"{stem}.judged.json"


def _tell_resumed(ledger: Any) -> None:
    out = console(stderr=True)
    if ledger.rows:
        out.print(f"Going on: {len(ledger.rows)} results are in {ledger.path}", soft_wrap=True)
    if ledger.dropped:
        out.print(
            f"Its last line was cut short ({ledger.dropped} bytes): that sample is judged again."
        )


def _report(
    problems: "ProblemSet",
    samples_path: Path,
    samples: "Sequence[Sample]",
    missing: Sequence[str],
    card: "ScoreCard",
    settings: Settings,
    level: str,
) -> dict[str, Any]:
    copies = len(samples) - len({(sample.task.id, sample.digest) for sample in samples})
    return {
        "problems": {
            "name": problems.name,
            "place": str(problems.place),
            "tasks": len(problems.tasks),
        },
        "samples_from": {
            "place": str(samples_path),
            "sha256": _sha256(samples_path),
            "copies": copies,
        },
        "level": level,
        "limits": asdict(settings.limits),
        "tasks_without_samples": list(missing),
        **card.as_json(),
    }


def _sha256(path: Path) -> str | None:
    """Of a file; a folder has none."""
    return sha256_file(path) if path.is_file() else None


def write_report(place: Path, report: Mapping[str, Any]) -> None:
    """Write the report as JSON, all or nothing."""
    from voltx_core.data.compression import write_atomically

    with write_atomically(place) as stream:
        stream.write(json.dumps(report, indent=1, ensure_ascii=True).encode() + b"\n")


def show_report(report: Mapping[str, Any]) -> None:
    """The scores as a table, and whatever limits what they say."""
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for name in ("", "score", "95 % interval", "tasks"):
        table.add_column(name)
    for k, found in report["pass_at_k"].items():
        if found is None:
            table.add_row(f"pass@{k}", "not run", report["why_not"][k], "")
            continue
        interval = f"{found['low']:.3f} to {found['high']:.3f}"
        table.add_row(f"pass@{k}", f"{found['mean']:.3f}", interval, str(found["n"]))
    out.print(table)
    out.print()
    outcomes = ", ".join(f"{count} {name}" for name, count in report["outcomes"].items())
    modes = ", ".join(f"{count} {name}" for name, count in report["verdict_modes"].items())
    out.print(f"{report['samples']} samples: {outcomes}")
    out.print(f"verdicts: {modes}; isolation: {report['level']}")
    if copies := report["samples_from"]["copies"]:
        out.print(f"{copies} samples equal another one of their task; each counts")
    if without := report["tasks_without_samples"]:
        out.print(f"[yellow]{len(without)} tasks have no sample and count nowhere[/]")
    for task_id, why in list(report["tasks_not_run"].items())[:NAMED]:
        out.print(f"[yellow]not run:[/] {task_id}: {why}", soft_wrap=True)
    if (rest := len(report["tasks_not_run"]) - NAMED) > 0:
        out.print(f"[yellow]not run:[/] {rest} more")
    out.print(f"report: {report['report']}", soft_wrap=True)
