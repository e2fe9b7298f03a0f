"""The tables of a report card, once for every format that prints them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from voltx_core.report.content import Card, Score, Setting, StageCard, TargetRow
from voltx_core.report.formatting import (
    NOT_MEASURED,
    cell,
    duration,
    interval,
    money,
    number,
    share,
)

Tone = Literal["", "good", "bad", "quiet", "strong", "code"]
MARKS = {"met": "✓ met", "missed": "✗ missed", "not measured": "– not measured"}
TONES: dict[str, Tone] = {
    "met": "good",
    "missed": "bad",
    "not measured": "quiet",
    "committed": "good",
    "reused": "good",
    "failed": "bad",
    "blocked": "bad",
    "waiting": "quiet",
    "queued": "quiet",
}
PARTS = {
    "stage.preflight": "checks before the start",
    "stage.pull": "fetching inputs",
    "stage.resume": "looking for progress to resume",
    "stage.run": "the work itself",
    "stage.commit": "storing and verifying results",
    "checkpoint.saves": "saving progress (during the work)",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Text and how it should look where looks exist."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of equal length; ``numeric`` columns stand to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()


def stage_table(card: Card) -> Table:
    """Every stage with its state, its time, and how its targets fared."""
    rows = []
    for stage in card.stages:
        rows.append(
            (
                Cell(stage.number),
                Cell(stage.title, "strong"),
                Cell(stage.state, TONES.get(stage.state, "")),
                Cell(_took(stage)),
                Cell(_measured(stage)),
                Cell((stage.fingerprint or "")[:12], "code"),
            )
        )
    columns = ("#", "Stage", "State", "Time", "Targets", "Fingerprint")
    return Table(columns, tuple(rows), frozenset({3}))


def score_table(scores: Sequence[Score]) -> Table:
    """pass@1 with intervals."""
    columns = ("Answers from", "Kind", "pass@1", "95 % interval", "Problems", "Note")
    rows = [
        (
            Cell(s.label, "strong" if s.kind == "model" else ""),
            Cell(s.kind, "quiet"),
            Cell(share(s.value), "" if s.value is not None else "quiet"),
            Cell(interval(s.low, s.high)),
            Cell("" if s.problems is None else number(s.problems)),
            Cell(s.note, "bad"),
        )
        for s in scores
    ]
    return _without_empty(Table(columns, tuple(rows), frozenset({2, 3, 4})))


def target_table(targets: Iterable[TargetRow], *, with_stage: bool = True) -> Table:
    """What the plan promised, what was measured, and the verdict."""
    columns = ("#", "Target", "Promised", "Measured", "Verdict")
    rows = [
        (
            Cell(t.number),
            Cell(t.title),
            Cell(f"{t.comparison} {number(t.value)}"),
            Cell(number(t.measured), "quiet" if t.measured is None else ""),
            Cell(MARKS[t.verdict], TONES[t.verdict]),
        )
        for t in targets
    ]
    table = Table(columns, tuple(rows), frozenset({2, 3}))
    return table if with_stage else _without(table, {0})


def metric_table(stage: StageCard) -> Table:
    """Everything a stage measured and counted."""
    rows = [
        (Cell(k), Cell(number(v), "quiet" if v is None else "")) for k, v in stage.metrics.items()
    ]
    rows += [(Cell(key), Cell(number(value))) for key, value in stage.counts.items()]
    if stage.flops:
        rows.append((Cell("training arithmetic, FLOP"), Cell(number(stage.flops))))
    return Table(("Measure", "Value"), tuple(rows), frozenset({1}))


def free_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table a stage reported: the union of its rows' keys, in order of appearance."""
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    cells = tuple(tuple(_free(row, key) for key in columns) for row in rows)
    numeric = frozenset(
        index
        for index, key in enumerate(columns)
        if all(isinstance(row.get(key), (int, float, type(None))) for row in rows)
    )
    return Table(columns, cells, numeric)


def time_table(card: Card) -> Table:
    """Where the wall time went."""
    time = card.time
    rows = [
        ("wall time, from the start of the run to its last sign of life", duration(time.wall_s)),
        ("at least one stage at work", duration(time.covered_s)),
        (
            "no stage at work (starting processes, scheduling, waiting)",
            f"{duration(None if time.wall_s is None else time.wall_s - time.covered_s)}"
            f" = {share(time.other_share)}",
        ),
        ("sum over the stages", duration(time.stages_s)),
        ("won by running stages side by side", duration(time.overlapped_s)),
    ]
    rows += [(f"of the stages: {PARTS.get(n, n)}", duration(s)) for n, s in time.parts_s.items()]
    return Table(("Share of the time", ""), _plain(rows), frozenset({1}))


def plan_table(card: Card) -> Table:
    """What each stage was expected to take, and what it took."""
    rows = [
        (
            row.number,
            row.title,
            duration(row.planned_s, missing="unknown"),
            "" if row.low_s is None else f"{duration(row.low_s)} – {duration(row.high_s)}",
            duration(row.actual_s),
            "" if row.factor is None else f"× {row.factor:.2f}",
            row.basis,
        )
        for row in card.plan
    ]
    columns = ("#", "Stage", "Planned", "Range", "Took", "Off by", "Planned from")
    return Table(columns, _plain(rows), frozenset({2, 3, 4, 5}))


def money_table(card: Card) -> Table:
    """What each machine cost from its first stage to its last, and how much of that it waited."""
    rows = [
        (
            machine.host,
            machine.kind,
            money(machine.usd_per_hour),
            duration(machine.there_s),
            duration(machine.there_s - machine.busy_s),
            money(machine.paid_usd),
            money(machine.idle_usd),
        )
        for machine in card.account.machines
    ]
    if len(rows) > 1:
        paid, idle = card.account.paid_usd, card.account.idle_usd
        rows.append(("together", "", "", "", "", money(paid), money(idle)))
    columns = ("Machine", "Kind", "An hour", "There", "Idle", "Paid", "Paid idle")
    return Table(columns, _plain(rows), frozenset({2, 3, 4, 5, 6}))


def lineage_table(card: Card) -> Table:
    """Which result was made from which, by digest."""
    rows = []
    for stage in card.stages:
        made = [
            f"{name} ({stage.inputs.get(name, 'elsewhere')}) {digest[:12]}"
            for name, digest in stage.input_digests.items()
        ]
        rows.append(
            (
                Cell(stage.number),
                Cell(stage.title, "strong"),
                Cell(stage.fingerprint or stage.state, "code" if stage.fingerprint else "quiet"),
                Cell("" if stage.version is None else str(stage.version)),
                Cell("; ".join(made) or "nothing", "code"),
            )
        )
    return Table(("#", "Stage", "Fingerprint", "Version", "Inputs (made by) sha256"), tuple(rows))


def setting_table(settings: Sequence[Setting], usual: str) -> Table:
    """Settings beside their usual values."""
    rows = [(s.key, _setting(s.value), _setting(s.usual)) for s in settings]
    return Table(("Setting", "Value", usual), _plain(rows))


def machine_table(machine: Mapping[str, Any]) -> Table:
    """One environment results were made in."""
    rows: list[tuple[str, str]] = []
    for key, value in machine.items():
        if isinstance(value, Mapping):
            rows += [(f"{name}", str(inner)) for name, inner in value.items() if inner]
        elif value is not None:
            rows.append((key, str(value)))
    return Table(("Environment", ""), _plain(rows))


def _took(stage: StageCard) -> str:
    if stage.state == "reused":
        return f"0 s (was {duration(stage.work_s)})" if stage.work_s is not None else "0 s"
    if stage.started_at and stage.finished_at:
        return duration(sum((end - start).total_seconds() for start, end in stage.spans if end))
    return ""


def _measured(stage: StageCard) -> str:
    """Met and missed targets in short, with figures."""
    shown = [
        f"{MARKS[t.verdict][0]} {t.title} {number(t.measured)} ({t.comparison} {number(t.value)})"
        for t in stage.targets
        if t.verdict != "not measured"
    ]
    silent = stage.count("not measured")
    if silent:
        shown.append(f"– {silent} {NOT_MEASURED}")
    return "; ".join(shown)


def _free(row: Mapping[str, Any], key: str) -> Cell:
    if key not in row:
        return Cell("")
    return Cell(cell(row[key]), "quiet" if row[key] is None else "")


def _setting(value: Any) -> str:
    return "" if value is None else cell(value)


def _plain(rows: Iterable[Sequence[str]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(tuple(Cell(text) for text in row) for row in rows)


def _without_empty(table: Table) -> Table:
    empty = {
        index
        for index in range(len(table.columns))
        if table.rows and all(not row[index].text for row in table.rows)
    }
    return _without(table, empty)


def _without(table: Table, dropped: set[int]) -> Table:
    kept = [index for index in range(len(table.columns)) if index not in dropped]
    return Table(
        tuple(table.columns[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in table.rows),
        frozenset(new for new, old in enumerate(kept) if old in table.numeric),
    )
