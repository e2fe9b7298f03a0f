"""Options that several commands share, and how a command tells the user what went wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.config import PRESET_NAMES, SUMMARIES
from voltx_core.errors import ConfigError, VoltxError

if TYPE_CHECKING:
    from rich.console import Console

USAGE_ERROR = 2
"""Exit code when the request itself is wrong; 1 when doing it failed."""

Preset = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        metavar="|".join(PRESET_NAMES),
        help="How large everything is. "
        + "; ".join(f"[b]{name}[/b]: {text}" for name, text in SUMMARIES.items())
        + ".",
        autocompletion=lambda: list(PRESET_NAMES),
    ),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Change one setting by its dotted key, e.g. [b]--set soft_core.steps=900[/b]. "
        "May be repeated.",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FOLDER|s3://BUCKET/PREFIX",
        help="Where results live; default: VOLTX_STORE, else ./volt-store.",
    ),
]
Only = Annotated[
    list[str],
    typer.Option(
        "--only",
        metavar="STAGE",
        help="This stage (name or number) and all it needs. May be repeated.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="STAGE", help="Stop after this stage (name or number)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


@contextmanager
def explained() -> Iterator[None]:
    """Print a VoltxError as a message on stderr and exit; usable as a decorator of a command.

    Anything else is a bug of voltx and keeps its traceback.

    Raises:
        typer.Exit: Code 2 for a ConfigError, 1 for the rest of the family.
    """
    try:
        yield
    except VoltxError as error:
        console(stderr=True).print(f"[bold red]Error:[/] {_literal(str(error))}", soft_wrap=True)
        raise typer.Exit(USAGE_ERROR if isinstance(error, ConfigError) else 1) from error


def console(*, stderr: bool = False) -> "Console":
    """A rich console on the current streams."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _literal(text: str) -> str:
    from rich.markup import escape

    return escape(text)
