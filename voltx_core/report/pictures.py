"""Every picture of a report card: charts drawn from content, figures that stages drew."""

from dataclasses import dataclass

from voltx_core.report import charts
from voltx_core.report.content import Card, Figure, StageCard
from voltx_core.report.headline import by_split

MOST_CURVES = 12
"""Charts of curves shown for one stage; the JSON report has all."""


@dataclass(frozen=True, slots=True)
class Chart:
    """An SVG drawing; ``file_name`` is what it is called beside the Markdown report."""

    file_name: str
    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """All pictures, in the order the report shows them."""

    scores: tuple[Chart, ...]
    """One for each split."""
    timeline: Chart | None
    lineage: Chart | None
    curves: dict[str, tuple[Chart, ...]]
    """Stage → its curves."""
    figures: dict[str, tuple[Figure, ...]]
    """Stage → pictures it drew itself."""

    def charts(self) -> list[Chart]:
        """The drawings alone."""
        single = [chart for chart in (self.timeline, self.lineage) if chart]
        return [*self.scores, *single, *(c for group in self.curves.values() for c in group)]


def draw(card: Card) -> Pictures:
    """Draw all charts of a card."""
    scores = [
        Chart(f"scores-{_slug(split)}.svg", f"pass@1, {split}", charts.score_chart(group))
        for split, group in by_split(card.scores).items()
    ]
    timeline = lineage = None
    if card.started_at and card.finished_at:
        drawn = charts.timeline(card.stages, card.started_at, card.finished_at)
        timeline = Chart("timeline.svg", "Timeline", drawn)
    if any(stage.inputs for stage in card.stages):
        lineage = Chart("lineage.svg", "Lineage", charts.lineage(card.stages))
    return Pictures(
        scores=tuple(scores),
        timeline=timeline,
        lineage=lineage,
        curves={stage.name: _curves(stage) for stage in card.stages},
        figures={stage.name: stage.figures for stage in card.stages},
    )


def figure_file(stage: str, figure: Figure) -> str:
    """Name of a stage's figure beside the Markdown report."""
    return f"{stage}-{figure.file_name}"


def _curves(stage: StageCard) -> tuple[Chart, ...]:
    names = charts.loss_first(stage.curves)[:MOST_CURVES]
    return tuple(
        Chart(
            f"{stage.name}-curve-{_slug(name)}.svg",
            f"{stage.title}: {name}",
            charts.curve_chart(name, stage.curves[name]),
        )
        for name in names
    )


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
