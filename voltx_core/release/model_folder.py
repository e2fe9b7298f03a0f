"""The model of a run as a folder of plain files that needs no store.

    voltx export my-model
    voltx generate --model my-model "return the sum"

Every artifact has its familiar name (``codebook_code.bin``, ``code_encoder.safetensors``); weights
are safetensors, all else JSON or text. ``voltx-model.json`` lists the files with their digests, and
which stage made each under which fingerprint.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from voltx_core.errors import DataError
from voltx_core.generation import ARTIFACTS
from voltx_core.release.model_card import model_card
from voltx_core.report.report_card import content, read_card
from voltx_core.stages import graph, lineage
from voltx_core.stages.workspace import Workspace
from voltx_core.store import FileEntry, open_store
from voltx_core.store.trees import replace_folder, scan

LIST = "voltx-model.json"
CARD, REPORT = "README.md", "report.json"
SCHEMA_VERSION = 1
NOT_OF_A_MODEL = frozenset({"data", "benchmarks"})
"""Stages whose artifacts are texts to learn from and answers given, not parts of a model."""


@dataclass(frozen=True, slots=True)
class Part:
    """One artifact of the model.

    Attributes:
        path: Of the file or folder, from the model's folder.
        stage: That made it.
        fingerprint: Of that stage's work.
    """

    path: str
    stage: str
    fingerprint: str


def export(run_id: str, workspace: Workspace, folder: Path) -> dict[str, Part]:
    """Write the model of a run into a new folder.

    What answers requests must be there; the scaled model, the baseline and the other languages
    come along when the run has them.

    Args:
        run_id: The run.
        workspace: The store that holds it.
        folder: A new or an empty one; until everything is in it, it is not there.

    Returns:
        What was written, by name of the artifact.

    Raises:
        StageError: No such run, or it has no model yet.
        StoreError: The store is damaged or out of reach, or the folder holds something.
        OSError: The folder cannot be written.
    """
    paths = lineage.fetch(run_id, ARTIFACTS, workspace)
    made = lineage.manifests(run_id, workspace)
    paths |= {
        name: workspace.artifacts.fetch(manifest, name)
        for stage, manifest in made.items()
        if stage not in NOT_OF_A_MODEL
        for name in manifest.artifacts
        if name not in paths
    }
    card = read_card(run_id, workspace)
    maker = graph.makers()
    parts = {
        name: Part(path.name, maker[name], made[maker[name]].fingerprint)
        for name, path in paths.items()
    }

    def fill(part: Path) -> None:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for path in paths.values():
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, part / path.name)
        (part / REPORT).write_text(json.dumps(content(card), indent=1, allow_nan=False) + "\n")
        (part / CARD).write_text(model_card(card, sorted(parts)))
        listed = {
            "schema_version": SCHEMA_VERSION,
            "voltx": version("voltx"),
            "run": run_id,
            "artifacts": {name: asdict(one) for name, one in sorted(parts.items())},
            "files": {name: entry.model_dump() for name, entry in scan(part).items()},
        }
        (part / LIST).write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n")

    replace_folder(folder, fill)
    return parts


def export_to_store(run_id: str, workspace: Workspace, url: str) -> dict[str, Part]:
    """Like ``export``, into a bucket: ``s3://bucket/prefix``.

    Raises:
        StageError, StoreError, OSError: As there; the list of files is written last.
    """
    target = open_store(url)
    target.check()
    with tempfile.TemporaryDirectory(prefix="voltx-export-") as room:
        folder = Path(room) / "model"
        parts = export(run_id, workspace, folder)
        files = scan(folder)
        for name in (*(n for n in sorted(files) if n != LIST), LIST):
            target.put_file(name, folder / name, sha256=files[name].sha256)
    return parts


def open_model(folder: Path) -> dict[str, Path]:
    """Path of each artifact of an exported model, after its files were compared with their list.

    Raises:
        DataError: There is no model, it is of a newer kind, or a file is missing or damaged.
    """
    listed = _read_list(folder)
    entries = {name: FileEntry(**entry) for name, entry in listed["files"].items()}
    for name in entries:
        if not (folder / name).is_file():
            raise DataError(
                f"{folder / name} is missing, which {LIST} lists. Export or copy the model again."
            )
    found = scan(folder)
    for name, wanted in entries.items():
        if found[name] != wanted:
            raise DataError(
                f"{folder / name} is damaged: it should have {wanted.size} bytes with sha256 "
                f"{wanted.sha256} and has {found[name].size} with {found[name].sha256}. Export "
                "or copy the model again."
            )
    return {name: folder / part["path"] for name, part in listed["artifacts"].items()}


def run_of(folder: Path) -> str:
    """Id of the run that an exported model comes from."""
    return str(_read_list(folder)["run"])


def _read_list(folder: Path) -> Mapping[str, Any]:
    path = folder / LIST
    try:
        listed = json.loads(path.read_text())
        schema = listed["schema_version"]
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no exported model: there is no {LIST}. Make one: voltx export {folder}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} cannot be read ({error}). Export the model again.") from None
    if schema != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {schema}, this voltx reads {SCHEMA_VERSION}. "
            "Use the voltx that exported it, or export it again."
        )
    found: Mapping[str, Any] = listed
    return found
