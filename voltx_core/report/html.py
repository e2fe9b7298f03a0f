"""The report card as one self-contained HTML file: no script, nothing fetched from anywhere."""

import base64
from pathlib import Path

from voltx_core.report import svg, tables
from voltx_core.report.content import Card, Figure
from voltx_core.report.formatting import duration, interval, number, share
from voltx_core.report.headline import by_split, leading
from voltx_core.report.markdown import machine_line
from voltx_core.report.pictures import Pictures
from voltx_core.report.reproduction import conditions
from voltx_core.report.transfer import TRANSFER, transfer_table

TEMPLATE = Path(__file__).with_name("report.html.j2")


def render(card: Card, pictures: Pictures) -> str:
    """The whole report as one page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=duration, share=share, number=number, data_uri=data_uri, drawing=Markup
    )
    return environment.get_template(TEMPLATE.name).render(
        card=card,
        pictures=pictures,
        tables=tables,
        splits=by_split(card.scores),
        best=leading(card.scores),
        conditions=conditions(card),
        carried=transfer_table(card),
        carried_lead=TRANSFER,
        interval=interval,
        machine_line=machine_line,
        palette=Markup(svg.PALETTE),
        dark_palette=Markup(svg.DARK_PALETTE),
        marks=Markup(svg.MARKS),
    )


def data_uri(figure: Figure) -> str:
    """The picture itself as an address."""
    return f"data:{figure.media_type};base64,{base64.b64encode(figure.data).decode()}"
