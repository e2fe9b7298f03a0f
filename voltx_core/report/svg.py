"""Small SVG drawings: the few marks that the charts of a report are made of.

Colours are CSS variables, so one picture fits a light page, a dark page and paper. Inside the
HTML report the page defines them; ``standalone`` puts them into the picture itself.
"""

from html import escape

PALETTE = """
  --ink: #1c2430; --muted: #667085; --line: #d9dee7; --paper: #ffffff; --panel: #f6f8fb;
  --c1: #2f6fdb; --c2: #c2611f; --c3: #22845a; --c4: #8250c4; --c5: #c93a4b; --c6: #15808d;
""".strip()
DARK_PALETTE = """
  --ink: #e6e9ef; --muted: #98a2b3; --line: #353d4a; --paper: #14181f; --panel: #1c222b;
  --c1: #6ea1ff; --c2: #f0965a; --c3: #55c08e; --c4: #b794f4; --c5: #f47a86; --c6: #52bccb;
""".strip()
MARKS = """
  .chart text { font: 11px ui-sans-serif, system-ui, sans-serif; fill: var(--muted); }
  .chart .strong { fill: var(--ink); font-weight: 600; }
  .chart .name { fill: var(--ink); }
  .chart .grid { stroke: var(--line); stroke-width: 1; }
  .chart .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
  .chart .faint { opacity: .28; stroke-width: 1; }
  .chart .edge { fill: none; stroke: var(--muted); stroke-width: 1.1; opacity: .55; }
  .chart .box { fill: var(--panel); stroke: var(--line); }
""".strip()

End = str  # "start", "middle" or "end": where a text is anchored


def drawing(width: float, height: float, marks: list[str], title: str) -> str:
    """An ``<svg>`` element that scales with its column."""
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(marks)}</svg>'
    )


def standalone(svg: str) -> str:
    """The drawing as a file of its own, with its colours for light and dark readers."""
    style = (
        f"<style>svg {{{PALETTE}; background: var(--paper);}} {MARKS} "
        f"@media (prefers-color-scheme: dark) {{ svg {{{DARK_PALETTE}}} }}</style>"
    )
    start = svg.index(">") + 1
    return svg[:start] + style + svg[start:] + "\n"


def text(x: float, y: float, content: str, *, end: End = "start", kind: str = "") -> str:
    """Words; ``kind`` is a CSS class."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{end}"{named}>{escape(content)}</text>'


def line(
    x1: float, y1: float, x2: float, y2: float, *, kind: str = "grid", stroke: str = ""
) -> str:
    """A straight line."""
    style = f' style="stroke:{stroke}"' if stroke else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"{style}/>'


def polyline(points: list[tuple[float, float]], *, stroke: str, kind: str = "curve") -> str:
    """A curve through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" class="{kind}" style="stroke:{stroke}"/>'


def bar(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str,
    hint: str = "",
    opacity: float = 1,
) -> str:
    """A rounded bar; ``hint`` shows when the pointer rests on it."""
    note = f"<title>{escape(hint)}</title>" if hint else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 2):.1f}" height="{height:.1f}" rx="3" '
        f'style="fill:{fill};opacity:{opacity:g}">{note}</rect>'
    )


def box(x: float, y: float, width: float, height: float, *, stroke: str = "") -> str:
    """An outlined box."""
    style = f' style="stroke:{stroke}"' if stroke else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        f'class="box"{style}/>'
    )


def dot(x: float, y: float, *, fill: str, hint: str = "", radius: float = 4.5) -> str:
    """A point."""
    note = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" style="fill:{fill}">{note}</circle>'


def arc(x1: float, y1: float, x2: float, y2: float) -> str:
    """An edge that leaves downwards and arrives from above."""
    middle = (y1 + y2) / 2
    return (
        f'<path class="edge" d="M{x1:.1f},{y1:.1f} C{x1:.1f},{middle:.1f} '
        f'{x2:.1f},{middle:.1f} {x2:.1f},{y2:.1f}"/>'
    )


SPANS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)


def time_ticks(seconds: float, about: int = 7) -> list[float]:
    """Round times from 0 to ``seconds``: whole minutes, quarters of an hour, days."""
    spans = [*SPANS_S, *(86_400 * days for days in (1, 2, 5, 10, 20, 50, 100))]
    step = next((span for span in spans if seconds / span <= about), spans[-1])
    if seconds < 2:
        return ticks(0, seconds, about)
    return [float(n * step) for n in range(int(seconds / step) + 1)]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers inside [low, high], 1, 2 or 5 times a power of ten apart."""
    import math

    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]
