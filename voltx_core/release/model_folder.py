"""The model of a run as a folder of plain files that needs no store.

    voltx export my-model
    voltx generate --model my-model "return the sum"

Every artifact has its familiar name (``codebook_code.bin``, ``code_encoder.safetensors``);
weights are safetensors, all else JSON, text or a table of numbers. ``voltx-model.json`` lists the
parts with their digests, and which stage made each under which fingerprint. What the run read,
where it ran and how it was set up stays at home.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from voltx_core.errors import DataError, StoreError
from voltx_core.generation import ARTIFACTS
from voltx_core.release.model_card import facts, model_card
from voltx_core.report.report_card import read_card
from voltx_core.stages import graph, lineage
from voltx_core.stages.workspace import Workspace
from voltx_core.store import FileEntry, finite, open_store, sha256_file
from voltx_core.store.keys import check_key
from voltx_core.store.trees import replace_folder, scan

LIST = "voltx-model.json"
CARD, REPORT = "README.md", "report.json"
SCHEMA_VERSION = 1
NOT_OF_A_MODEL = frozenset({"data", "benchmarks"})
"""Stages whose artifacts are texts to learn from and answers given, not parts of a model."""
LEFT_OUT = frozenset({"codebook_index"})
"""Its format is read by a library that trusts it; the codebook is searched without it instead."""


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
    wanted = [name for name in ARTIFACTS if name not in LEFT_OUT]
    paths = lineage.fetch(run_id, wanted, workspace)
    made = lineage.manifests(run_id, workspace)
    paths |= {
        name: workspace.artifacts.fetch(manifest, name)
        for stage, manifest in made.items()
        if stage not in NOT_OF_A_MODEL
        for name in manifest.artifacts
        if name not in paths and name not in LEFT_OUT
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
        listed = {
            "schema_version": SCHEMA_VERSION,
            "voltx": version("voltx"),
            "run": run_id,
            "artifacts": {name: asdict(one) for name, one in sorted(parts.items())},
            "files": {name: entry.model_dump() for name, entry in scan(part).items()},
        }
        (part / REPORT).write_text(json.dumps(finite(facts(card)), indent=1) + "\n")
        (part / CARD).write_text(model_card(card, sorted(parts)))
        (part / LIST).write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n")

    try:
        replace_folder(folder.absolute(), fill)
    except OSError as error:
        raise StoreError(f"could not write {folder}: {error.strerror or error}.") from error
    return parts


def export_to_store(run_id: str, workspace: Workspace, url: str) -> dict[str, Part]:
    """Like ``export``, into a bucket that has nothing under that prefix: ``s3://bucket/prefix``.

    Raises:
        StageError, StoreError: As there; the list of files is written last.
    """
    target = open_store(url)
    target.check()
    if any(True for _ in target.list()):
        raise StoreError(f"{url} is not empty: name a new prefix.")
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
    for name, wanted in listed.files.items():
        path = folder / name
        if not path.is_file():
            raise DataError(f"{path} is missing, which {LIST} lists. Export or copy it again.")
        found = FileEntry(sha256=sha256_file(path), size=path.stat().st_size)
        if found != wanted:
            raise DataError(
                f"{path} is damaged: it should have {wanted.size} bytes with sha256 "
                f"{wanted.sha256} and has {found.size} with {found.sha256}. Export or copy it "
                "again."
            )
    return {name: folder / path for name, path in listed.artifacts.items()}


def holds(folder: Path, run_id: str) -> bool:
    """Whether a folder has the model of this run, whole.

    Raises:
        DataError: It has, but a file is missing or damaged.
    """
    if not (folder / LIST).is_file() or run_of(folder) != run_id:
        return False
    open_model(folder)
    return True


def run_of(folder: Path) -> str:
    """Id of the run that an exported model comes from.

    Raises:
        DataError: There is no model.
    """
    return _read_list(folder).run


@dataclass(frozen=True, slots=True)
class _Listed:
    run: str
    artifacts: Mapping[str, str]
    files: Mapping[str, FileEntry]


def _read_list(folder: Path) -> _Listed:
    path = folder / LIST
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        schema = found["schema_version"]
        if schema != SCHEMA_VERSION:
            raise DataError(
                f"{path} has schema version {schema}, this voltx reads {SCHEMA_VERSION}. "
                "Use the voltx that exported it, or export it again."
            )
        return _Listed(
            run=str(found["run"]),
            artifacts={n: check_key(part["path"]) for n, part in found["artifacts"].items()},
            files={check_key(n): FileEntry(**entry) for n, entry in found["files"].items()},
        )
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no exported model: there is no {LIST}. Make one: voltx export {folder}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StoreError) as error:
        raise DataError(f"{path} cannot be read ({error}). Export the model again.") from None
