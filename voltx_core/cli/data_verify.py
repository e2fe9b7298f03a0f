"""`voltx data verify`: is everything there that a preset wants?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from voltx_core.cli.data_fetch import data_folder
from voltx_core.cli.options import AsJson, Overrides, Preset, console, explained

Folder = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="FOLDER", help="Where data lies; default: VOLTX_DATA_DIR, ./voltx-data."
    ),
]
_COLOURS = {"ok": "green", "missing": "yellow", "short": "yellow", "damaged": "red"}


@explained()
def verify(
    preset: Preset = "laptop",
    overrides: Overrides = [],  # noqa: B006 (typer copies it)
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Check that all data of a preset is here and intact, and that the disk has room.

    Every file is read and compared by size and sha256 with what was written down when it was
    fetched. Exit code 0: nothing stands in the way; 1: something needed is missing or damaged.

    Examples:

      voltx data verify

      voltx data verify --preset cloud --set data.corpus=voltx-data/the-stack

      voltx data verify --json | jq '.[] | select(.state != "ok") | .remedy'
    """
    from voltx_core.config import resolve
    from voltx_core.stages.staging import checklist
    from voltx_core.stages.workspace import Workspace

    config = resolve(preset, overrides)
    place = data_folder(folder or (Path(config.data.directory) if config.data.directory else None))
    err = console(stderr=True)
    items = []
    with err.status("") as status:
        home = Workspace.open().home
        for item in checklist(config, place, home, tell=lambda name: status.update(f"{name} ...")):
            items.append(item)
    if as_json:
        print(json.dumps([asdict(item) | {"blocks": item.blocks} for item in items], indent=1))
    else:
        out = console()
        for item in items:
            size = "" if item.size is None else f", {item.size / 1e6:.1f} MB"
            digest = f", sha256 {item.sha256[:12]}" if item.sha256 else ""
            colour = "red" if item.blocks else _COLOURS[item.state]
            out.print(f"[{colour}]{item.state:8}[/] [bold]{item.name}[/]{size}{digest}")
            out.print(f"         {item.found}", markup=False, soft_wrap=True)
            if item.remedy:
                needed = "needed" if item.needed else "not needed, but better"
                out.print(f"         {needed}: {item.remedy}", markup=False, soft_wrap=True)
        blocking = sum(item.blocks for item in items)
        out.print(
            f"{blocking} of {len(items)} stand in the way of preset {preset}."
            if blocking
            else f"Nothing stands in the way: voltx run --preset {preset} --watch",
            markup=False,
        )
    if any(item.blocks for item in items):
        raise typer.Exit(1)
