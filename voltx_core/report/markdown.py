"""The report card as Markdown, with its pictures in files beside it."""

from collections.abc import Iterator

from voltx_core.report import tables
from voltx_core.report.content import Card, StageCard
from voltx_core.report.formatting import duration, share
from voltx_core.report.headline import by_split, leading
from voltx_core.report.pictures import Chart, Pictures, figure_file
from voltx_core.report.reproduction import conditions
from voltx_core.report.tables import Table
from voltx_core.report.transfer import TRANSFER, transfer_table

FIGURES = "figures"
"""Folder of the pictures beside ``report.md``."""


def render(card: Card, pictures: Pictures) -> str:
    """The whole report."""
    return "\n".join([*_head(card), *_result(card, pictures), *_body(card, pictures)]) + "\n"


def summary(card: Card) -> str:
    """The part that fits a terminal: header, headline, stages."""
    lines = [*_head(card), *_result(card, None), "## Stages", ""]
    shown = tables.stage_table(card)
    narrow = Table(shown.columns[:-1], tuple(row[:-1] for row in shown.rows), shown.numeric)
    return "\n".join([*lines, *table(narrow)]) + "\n"


def _head(card: Card) -> Iterator[str]:
    yield f"# voltx run {card.run_id}"
    yield ""
    counts = [sum(t.verdict == v for t in card.targets) for v in ("met", "missed", "not measured")]
    done = sum(stage.done for stage in card.stages)
    yield f"- **State**: {card.state}, {done} of {len(card.stages)} stages done"
    yield f"- **Preset**: {card.preset}, seed {card.seed}"
    started = f", started {card.started_at:%Y-%m-%d %H:%M} UTC" if card.started_at else ""
    yield f"- **Wall time**: {duration(card.time.wall_s)}{started}"
    yield f"- **Not stage work**: {share(card.time.other_share)} of the wall time"
    yield f"- **Targets**: {counts[0]} met, {counts[1]} missed, {counts[2]} not measured"
    best = leading(card.scores)
    if best:
        yield f"- **pass@1 on {best.split}**: {share(best.value)} ({best.label})"
    for machine in card.machines[:1]:
        yield f"- **Machine**: {machine_line(machine)}"
    yield f"- **Store**: {card.store}"
    for key, value in card.facts.items():
        yield f"- **{key}**: {value}"
    yield ""


def machine_line(machine: dict[str, object]) -> str:
    """One environment in a line."""
    parts = [
        f"{machine.get('processors')} processors" if machine.get("processors") else "",
        str(machine.get("gpu") or machine.get("device") or ""),
        f"{machine.get('threads')} thread(s) a stage" if machine.get("threads") else "",
        str(machine.get("system") or ""),
        f"Python {machine['python']}" if machine.get("python") else "",
    ]
    return ", ".join(part for part in parts if part)


def _result(card: Card, pictures: Pictures | None) -> Iterator[str]:
    yield "## Result"
    yield ""
    if not card.scores:
        yield "pass@1: not measured (the benchmarks stage has no result in this run)."
        yield ""
    for index, (split, scores) in enumerate(by_split(card.scores).items()):
        yield f"### pass@1, {split}"
        yield ""
        yield from table(tables.score_table(scores))
        if pictures:
            yield from _picture(pictures.scores[index])


def _body(card: Card, pictures: Pictures) -> Iterator[str]:
    if (carried := transfer_table(card)).rows:
        yield "## Transfer to other languages"
        yield ""
        yield TRANSFER
        yield ""
        yield from table(carried)
    yield "## Stages"
    yield ""
    yield from table(tables.stage_table(card))
    yield "## Targets"
    yield ""
    yield from table(tables.target_table(card.targets))
    yield "## Time"
    yield ""
    yield from _picture(pictures.timeline)
    yield from table(tables.time_table(card))
    if card.plan:
        yield "### Plan and actual"
        yield ""
        yield from table(tables.plan_table(card))
    if card.account.machines:
        yield "### Money"
        yield ""
        yield from table(tables.money_table(card))
    for stage in card.stages:
        yield from _stage(stage, pictures)
    yield "## Lineage"
    yield ""
    yield from _picture(pictures.lineage)
    yield from table(tables.lineage_table(card))
    yield "## Settings"
    yield ""
    if card.overrides:
        yield from table(tables.setting_table(card.overrides, f"In preset {card.preset}"))
    else:
        yield f"Nothing differs from preset {card.preset}."
        yield ""
    if card.scaled:
        yield f"What preset {card.preset} changes of the training plan:"
        yield ""
        yield from table(tables.setting_table(card.scaled, "In the plan"))
    yield "## Environment"
    yield ""
    for machine in card.machines:
        yield from table(tables.machine_table(machine))
    yield "## Reproduce"
    yield ""
    yield from ("```sh", card.command, "```", "")
    yield from (f"- {line}" for line in conditions(card))


def _stage(stage: StageCard, pictures: Pictures) -> Iterator[str]:
    yield f"## {stage.number} {stage.title}"
    yield ""
    yield f"{stage.state}: {_line(stage.why)}"
    yield ""
    for note in stage.notes:
        yield f"> {_line(note)}"
        yield ">"
    if stage.notes:
        yield ""
    if stage.targets:
        yield from table(tables.target_table(stage.targets, with_stage=False))
    if stage.metrics or stage.counts:
        yield from table(tables.metric_table(stage))
    for title, rows in stage.tables.items():
        yield f"**{title}**"
        yield ""
        yield from table(tables.free_table(rows))
    for chart in pictures.curves.get(stage.name, ()):
        yield from _picture(chart)
    for figure in pictures.figures.get(stage.name, ()):
        yield f"![{figure.name}]({FIGURES}/{figure_file(stage.name, figure)})"
        yield ""


def _picture(chart: Chart | None) -> Iterator[str]:
    if chart:
        yield f"![{chart.title}]({FIGURES}/{chart.file_name})"
        yield ""


def table(table: Table) -> Iterator[str]:
    if not table.rows:
        return
    yield "| " + " | ".join(_line(name) or " " for name in table.columns) + " |"
    rule = ["---:" if i in table.numeric else "---" for i in range(len(table.columns))]
    yield "| " + " | ".join(rule) + " |"
    for row in table.rows:
        cells = (
            f"**{_line(c.text)}**" if c.tone == "strong" and c.text else _line(c.text) for c in row
        )
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _line(text: str) -> str:
    """Text that can neither break a table row nor be taken for HTML."""
    flat = " ".join(text.split())
    return flat.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
