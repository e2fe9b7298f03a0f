"""The report card of a run: ``report.json``, ``report.md`` and ``report.html``.

Gathers the records of the run and of its stages and writes them for people (Markdown, HTML) and
programs (JSON). Works at any moment of a run, and on failed ones: what is not there yet says so.

    voltx report                 the latest run
    voltx report 20260102-1504   a named one
"""

import json
import math
import os
import shutil
import uuid
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from voltx_core.errors import StageError
from voltx_core.report import html, markdown
from voltx_core.report.content import Card
from voltx_core.report.gather import gather
from voltx_core.report.headline import leading
from voltx_core.report.pictures import Pictures, draw, figure_file
from voltx_core.report.svg import standalone
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

DEFAULT_FOLDER = Path("runs")
SCHEMA_VERSION = 1


def write_report(run_id: str, workspace: Workspace, *, folder: Path | None = None) -> Path:
    """Write the report of a run and make it the latest one.

    Args:
        run_id: The run.
        workspace: The store that holds its records.
        folder: Parent of ``<run id>/``; default ``./runs``.

    Returns:
        The folder with ``report.json``, ``report.md``, ``report.html`` and ``figures/``.

    Raises:
        StageError: The store knows no such run.
        StoreError: The store cannot be read or written.
    """
    card = read_card(run_id, workspace)
    pictures = draw(card)
    parent = DEFAULT_FOLDER if folder is None else folder
    home = parent / run_id
    _write_figures(home / markdown.FIGURES, pictures)
    texts = {
        "report.json": json.dumps(content(card), indent=1, allow_nan=False) + "\n",
        "report.md": markdown.render(card, pictures),
        "report.html": html.render(card, pictures),
    }
    for name, text in texts.items():
        _replace(home / name, text.encode())
    _point(parent / "latest", run_id)
    for name, text in texts.items():
        workspace.artifacts.store.put_bytes(f"runs/{run_id}/{name}", text.encode())
    return home


def read_card(run_id: str, workspace: Workspace) -> Card:
    """What the report of a run would show now.

    Raises:
        StageError: The store knows no such run.
    """
    record = RunRecord(workspace.artifacts, run_id)
    run = record.read()
    if run is None:
        known = _runs(workspace)
        raise StageError(
            f"{workspace.url} knows no run {run_id!r}. "
            + (f"Its runs: {', '.join(known)}." if known else "It has none; start one: voltx run.")
        )
    # How the run as a whole ended; absent while it goes on.
    run |= workspace.artifacts.get_json(f"runs/{run_id}/outcome.json") or {}
    run["expected"] = record.expected()
    work = {
        name: workspace.work(name, record["fingerprint"])
        for name, record in run["records"].items()
        if record and record.get("fingerprint")
    }
    return gather(run, workspace.artifacts, _outline(), work)


def content(card: Card) -> dict[str, Any]:
    """The JSON report: everything but the pictures. Not measured, and not finite, is null."""
    best = leading(card.scores)
    found = asdict(card)
    for stage in found["stages"]:
        stage["figures"] = [figure["name"] for figure in stage["figures"]]
    found["time"] |= {"other_share": card.time.other_share, "overlapped_s": card.time.overlapped_s}
    found["plan"] = [asdict(row) | {"factor": row.factor} for row in card.plan]
    found["account"] |= {"paid_usd": card.account.paid_usd, "idle_usd": card.account.idle_usd}
    verdicts = [target.verdict for target in card.targets]
    return _plain(
        {
            "schema_version": SCHEMA_VERSION,
            "state": card.state,
            "headline": asdict(best) if best else None,
            "targets": {name: verdicts.count(name) for name in ("met", "missed", "not measured")},
            **found,
        }
    )


def _outline() -> dict[str, dict[str, Any]]:
    """What the program knows of every stage before it ran."""
    return {
        name: {
            "number": spec.number,
            "title": spec.title,
            "pool": spec.pool,
            "aside": name in graph.ASIDE,
            "targets": [asdict(target) for target in spec.targets],
        }
        for name, spec in graph.specs().items()
    }


def _runs(workspace: Workspace) -> list[str]:
    keys = (found.key.split("/") for found in workspace.artifacts.store.list("runs/"))
    names = [k[1].removesuffix(".json") for k in keys if len(k) == 2 and k[1].endswith(".json")]
    return sorted(name for name in names if name != "latest")


def _write_figures(folder: Path, pictures: Pictures) -> None:
    """All pictures anew: those of an earlier state of the run must not stay beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    for chart in pictures.charts():
        _replace(folder / chart.file_name, standalone(chart.svg).encode())
    for stage, figures in pictures.figures.items():
        for figure in figures:
            _replace(folder / figure_file(stage, figure), figure.data)


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _point(link: Path, target: str) -> None:
    """Repoint a symbolic link in one step."""
    part = link.with_name(f".{link.name}.{uuid.uuid4().hex}")
    try:
        part.symlink_to(target, target_is_directory=True)
        os.replace(part, link)
    except IsADirectoryError as error:
        raise StageError(
            f"{link} is a folder, and should be the link to the latest run's report. Move it away."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
