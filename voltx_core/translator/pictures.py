"""Pictures of the translator: summaries in the plane, and code coloured by role."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from voltx_core.frame import ROLES, SLOTS

COLOURS = (
    "#e8a33d",
    "#7fb2e5",
    "#b9dca0",
    "#f2a6a6",
    "#c7a6e8",
    "#e8d96b",
    "#86d3cf",
    "#e89bd0",
    "#c9a98a",
    *("#d5d9e0",) * (SLOTS - 9),
)
"""One a slot; the free ones share a grey."""
GROUP_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44")
NO_ROLE = -1
COLUMN_IN, LINE_IN, POINTS = 0.0725, 0.17, 8.7
"""Size of a character of the monospaced font of so many points."""
MOST_COLUMNS = 100


def principal_plane(vectors: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """Coordinates on the first two principal components (Pearson 1901).

    Args:
        vectors: ``[N, W]``, at least two.

    Returns:
        ``[N, 2]``, and the share of the variance along each. Signs are such that the largest
        weight of a component is positive: equal vectors give an equal picture.
    """
    centred = (vectors - vectors.mean(0)).double().cpu()
    _, spread, components = torch.linalg.svd(centred, full_matrices=False)
    if len(spread) < 2:
        components = torch.cat([components, torch.zeros_like(components)])
        spread = torch.cat([spread, torch.zeros_like(spread)])
    axes = components[:2]
    heaviest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(heaviest < 0, -1.0, 1.0)
    share = spread.square() / spread.square().sum().clamp(min=1e-12)
    return (centred @ axes.T).float(), (float(share[0]), float(share[1]))


def draw_summaries(groups: Mapping[str, Tensor], path: Path, *, title: str) -> None:
    """Summaries ``[N, W]`` of several kinds of text on their common principal plane."""
    from matplotlib.figure import Figure

    points, (first, second) = principal_plane(torch.cat(list(groups.values())))
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    begin = 0
    for (name, vectors), colour in zip(groups.items(), GROUP_COLOURS, strict=False):
        own = points[begin : begin + len(vectors)]
        begin += len(vectors)
        axes.scatter(own[:, 0].tolist(), own[:, 1].tolist(), s=9, alpha=0.6, label=name, c=colour)
    axes.set(
        xlabel=f"first component, {first:.0%} of the variance",
        ylabel=f"second component, {second:.0%}",
        title=title,
    )
    axes.legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def draw_roles(
    shares: Mapping[str, Mapping[str, float]],
    functions: Sequence[tuple[str, Sequence[int]]],
    path: Path,
) -> None:
    """How often each role occurs, and functions whose characters are coloured by it.

    Args:
        shares: Kind of text → role → share of the labelled tokens.
        functions: Code and the slot of each of its characters, NO_ROLE for none.
        path: Where the PNG goes.
    """
    from matplotlib.figure import Figure

    lines = [pair for code, slots in functions for pair in (*_lines(code, slots), ("", []))]
    columns = max((len(text) for text, _ in lines), default=1)
    code_in, bars_in = max(3.0, columns * COLUMN_IN), 3.6
    height = max(3.2, len(lines) * LINE_IN + 0.4)
    figure = Figure(figsize=(bars_in + code_in + 0.3, height))
    width = figure.get_figwidth()
    bars = figure.add_axes((1.0 / width, 0.4 / height, (bars_in - 1.3) / width, 1 - 0.8 / height))
    roles = list(next(iter(shares.values())))
    thick = 0.8 / len(shares)
    for n, (kind, found) in enumerate(shares.items()):
        bars.barh(
            [place + n * thick for place in range(len(roles))],
            [found[role] for role in roles],
            height=thick,
            color=[COLOURS[ROLES.index(role)] for role in roles],
            edgecolor="black",
            linewidth=0.4,
            hatch=("", "///", "...")[n % 3],
            label=kind,
        )
    bars.set_yticks([place + 0.4 - thick / 2 for place in range(len(roles))], roles, fontsize=8)
    bars.invert_yaxis()
    bars.set_xlabel("share of the labelled tokens", fontsize=8)
    bars.legend(fontsize=7)
    page = figure.add_axes((bars_in / width, 0.1 / height, code_in / width, 1 - 0.2 / height))
    page.set(xlim=(0, code_in / COLUMN_IN), ylim=((height - 0.2) / LINE_IN, 0))
    page.set_axis_off()
    for row, (text, slots) in enumerate(lines):
        for column, slot in enumerate(slots):
            if slot != NO_ROLE:
                page.barh(row + 0.5, 1, left=column, height=0.9, color=COLOURS[slot], linewidth=0)
        page.text(
            0, row + 0.55, text, family="monospace", fontsize=POINTS, va="center", parse_math=False
        )
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _lines(code: str, slots: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Lines of code with the slots of their characters, long ones cut."""
    found, begin = [], 0
    for line in code.splitlines(keepends=True):
        text = line.rstrip("\r\n")[:MOST_COLUMNS].replace("\t", " ")
        found.append((text, list(slots[begin : begin + len(text)])))
        begin += len(line)
    return found
