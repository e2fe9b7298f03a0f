"""`voltx data fetch`: published data sets from the Hugging Face hub, pinned and verified."""

import os
from pathlib import Path
from typing import Annotated

import typer

from voltx_core.cli.options import console, explained

DEFAULT_FOLDER = "./voltx-data"

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...",
        help="humaneval, mbpp, apps, code-search-net, tinystories, the-stack, or OWNER/NAME of any "
        "data set of the hub. Without one: show what is known and what is here.",
    ),
]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into", metavar="FOLDER", help="Where data lies; default: VOLTX_DATA_DIR, ./voltx-data."
    ),
]
Revision = Annotated[
    str | None,
    typer.Option(
        "--revision",
        metavar="COMMIT",
        help="Another commit than the pinned one (or a tag or branch, which is resolved to the "
        "commit it means now and then held to).",
    ),
]
Files = Annotated[
    list[str],
    typer.Option(
        "--files",
        metavar="PATTERN",
        help="Only files of this shell pattern, e.g. [b]'data/python/*-0000?-*'[/b]. Repeatable.",
    ),
]


@explained()
def fetch(
    names: Names = None,
    into: Into = None,
    revision: Revision = None,
    files: Files = [],  # noqa: B006 (typer copies it)
) -> None:
    """Fetch published data sets by pinned revision.

    Resumes where it stopped, compares every file with the size and digest the hub states, and
    writes commit, sizes and sha256 down in voltx-data.json, which 'voltx data verify' checks.
    Needs: pip install 'voltx[data]'. HF_ENDPOINT names a mirror, HF_TOKEN a token.

    Examples:

      voltx data fetch                       what is known, and what is here

      voltx data fetch humaneval mbpp apps   the exams and their training parts

      voltx data fetch the-stack --files 'data/python/data-0000*'
    """
    from voltx_core.cli.countdown import countdown
    from voltx_core.data import hub

    folder = data_folder(into)
    if not names:
        _show(folder)
        return
    out = console()
    for name in names:
        with countdown(f"{name}, KiB") as tell:
            fetched = hub.fetch(name, folder, revision=revision, patterns=files, tell=tell)
        size = sum(file.size for file in fetched.files)
        out.print(
            f"{name}: {len(fetched.files)} files, {size / 1e6:.1f} MB, commit "
            f"{fetched.revision[:12]}, licence: {fetched.licence}",
            markup=False,
            soft_wrap=True,
        )
    out.print(f"Next: VOLTX_DATA_DIR={folder} voltx data verify", markup=False, soft_wrap=True)


def data_folder(into: Path | None) -> Path:
    """The folder that holds data sets."""
    return into or Path(os.environ.get("VOLTX_DATA_DIR") or DEFAULT_FOLDER)


def _show(folder: Path) -> None:
    from rich.table import Table

    from voltx_core.data import hub

    here = {record.name: record for _, record in hub.records(folder)}
    table = Table(box=None, pad_edge=False)
    for column in ("name", "repository", "commit", "licence", f"in {folder}"):
        table.add_column(column, overflow="fold")
    for name, known in hub.SETS.items():
        found = here.pop(name, None)
        size = f"{sum(f.size for f in found.files) / 1e6:.1f} MB" if found else "-"
        gated = ", gated" if known.gated else ""
        commit = (found.revision if found else known.revision)[:12]
        table.add_row(name, known.repository, commit, known.licence + gated, size)
    for name, found in here.items():
        size = f"{sum(f.size for f in found.files) / 1e6:.1f} MB"
        table.add_row(name, found.repository, found.revision[:12], found.licence, size)
    console().print(table)
