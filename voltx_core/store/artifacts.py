"""Artifacts of stages in a store: committed once, fetched verified.

Layout (``<tree>`` names the outputs by the digest of all their names and bytes)::

    stages/<stage>/<fingerprint>/manifest.json             written last: makes the stage exist
    stages/<stage>/<fingerprint>/outputs/<tree>/<path>     what the stage made
    stages/<stage>/<fingerprint>/progress/<step>/...       see progress.py
    runs/<run id>.json                                     stage → fingerprint

Concurrent writers of one fingerprint: equal outputs go to the same keys with the same bytes,
different outputs to different keys, and ``Store.create`` lets one manifest in. So the committed
manifest describes whole and unmixed outputs, whoever won, however often writers were killed.
After the commit the outputs of losers and of killed writers are removed; a loser in the middle
of its upload may see that as an error, finds the manifest, and returns it.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voltx_core.errors import StoreError
from voltx_core.store.json_values import finite
from voltx_core.store.keys import check_key, check_name
from voltx_core.store.manifest import (
    ArtifactEntry,
    FileEntry,
    Manifest,
    below,
    decode,
    encode,
    seal_artifact,
)
from voltx_core.store.objects import CorruptObjectError, MissingObjectError, Store, never
from voltx_core.store.progress import ProgressFolder
from voltx_core.store.trees import for_each, gone, scan, tree_name, upload
from voltx_core.store.verified import VerifiedFiles

logger = logging.getLogger(__name__)

REPORT = "report.json"


class ArtifactStore:
    """The outputs, progress and records of stages.

    Args:
        store: Where they live.
        cache: Folder of this machine for fetched artifacts and for the memory of what was
            verified; deleting it costs time only.
    """

    def __init__(self, store: Store, cache: Path) -> None:
        self.store, self.cache = store, cache
        self._verified = VerifiedFiles(cache / "verified.sqlite")

    def manifest(self, stage: str, fingerprint: str) -> Manifest | None:
        """The manifest of a finished stage, None when it is not finished.

        Raises:
            CorruptObjectError: There is one, damaged.
        """
        key = f"{_home(stage, fingerprint)}/manifest.json"
        try:
            data = self.store.get_bytes(key)
        except MissingObjectError:
            return None
        return decode(data, Manifest, key=key, url=self.store.url)

    def manifests(self, stage: str) -> list[Manifest]:
        """All manifests of a stage, newest first; a damaged one is left out with a warning."""
        found = []
        for fingerprint in self.store.folders(f"stages/{check_name(stage)}"):
            try:
                manifest = self.manifest(stage, fingerprint)
            except StoreError as error:
                logger.warning("left out of the history of %s: %s", stage, error)
                continue
            if manifest is not None:
                found.append(manifest)
        return sorted(found, key=lambda m: (m.created_at, m.fingerprint), reverse=True)

    def commit(
        self,
        manifest: Manifest,
        folder: Path,
        *,
        replace: bool = False,
        poll: Callable[[], None] = never,
    ) -> Manifest:
        """Store the outputs in ``folder`` and then the manifest: the stage is done.

        Args:
            manifest: With the path of each artifact; digests and files are filled in here.
            folder: The outputs, all of them; nothing may write there meanwhile.
            replace: Take the place of what is committed; until the new manifest is written the
                old one stays, whole.
            poll: Called during the upload, from several threads; what it raises breaks off before
                anything is committed. A next commit of the very same files goes on with what
                has arrived.

        Returns:
            The manifest in the store, which is another writer's when that was first.

        Raises:
            StoreError: An artifact is missing, or the store failed; nothing was committed.
        """
        home = _home(manifest.stage, manifest.fingerprint)
        committed = None if replace else self.manifest(manifest.stage, manifest.fingerprint)
        if committed is None:
            files = scan(folder)
            filled = _fill(manifest, files, folder)
            try:
                upload(self.store, f"{home}/outputs/{tree_name(files)}", folder, files, poll)
                write = self.store.put_bytes if replace else self.store.create
                write(f"{home}/manifest.json", encode(filled))
            except StoreError:
                if replace:
                    raise
                committed = self.manifest(manifest.stage, manifest.fingerprint)
                if committed is None:
                    raise
            # What the store now says, and not what was sent to it, is the truth for all.
            committed = committed or self.manifest(manifest.stage, manifest.fingerprint)
            if committed is None:
                raise MissingObjectError(f"{home}/manifest.json", self.store.url)
            self._remove_other_outputs(home, keep=tree_name(committed.files))
        return committed

    def fetch(self, manifest: Manifest, artifact: str) -> Path:
        """The local path of an artifact, its bytes verified.

        With a local store this is the stored file or folder itself: read it, never write.

        Raises:
            CorruptObjectError: A file of it is damaged or gone.
            StoreError: The stage made no such artifact.
        """
        members = manifest.members(artifact)
        return self._fetch(manifest, manifest.artifacts[artifact].path, members)

    def fetch_file(self, manifest: Manifest, relpath: str) -> Path:
        """The local path of one file of the outputs, verified; see ``fetch``."""
        if relpath not in manifest.files:
            raise StoreError(
                f"stage {manifest.stage!r} ({manifest.fingerprint}) made no file {relpath!r}. It "
                f"made: {', '.join(sorted(manifest.files)) or 'nothing'}."
            )
        return self._fetch(manifest, relpath, {relpath: manifest.files[relpath]})

    def save_progress(self, stage: str, fingerprint: str, step: int, folder: Path) -> None:
        """Store ``folder`` as the progress of an unfinished stage at ``step``."""
        self._progress(stage, fingerprint).save(step, folder)

    def progress_steps(self, stage: str, fingerprint: str) -> list[int]:
        """The steps whose progress is complete, ascending."""
        return self._progress(stage, fingerprint).steps()

    def fetch_progress(self, stage: str, fingerprint: str, step: int, into: Path) -> None:
        """Copy the progress at ``step`` into the new or empty folder ``into``, all or nothing.

        Raises:
            MissingObjectError: That step is not complete.
            CorruptObjectError: A file of it is damaged or gone; an earlier step may do.
        """
        self._progress(stage, fingerprint).fetch(step, into)

    def prune_progress(self, stage: str, fingerprint: str, keep: int) -> None:
        """Delete all but the newest ``keep`` complete steps; 0 deletes everything."""
        self._progress(stage, fingerprint).prune(keep)

    def put_json(self, key: str, value: Any) -> None:
        """Store a value as JSON, replacing what was there.

        JSON has no NaN and no infinities: they become null, as in every browser.
        """
        text = json.dumps(finite(value), indent=2, sort_keys=True, allow_nan=False)
        self.store.put_bytes(key, text.encode())

    def get_json(self, key: str) -> Any | None:
        """The value stored as JSON, None when there is none.

        Raises:
            StoreError: What is stored there is not JSON.
        """
        try:
            return json.loads(self.store.get_bytes(key))
        except MissingObjectError:
            return None
        except ValueError as error:
            raise StoreError(
                f"{key!r} in {self.store.url} is not JSON ({error}). Delete it or restore it."
            ) from error

    def _progress(self, stage: str, fingerprint: str) -> ProgressFolder:
        prefix = f"{_home(stage, fingerprint)}/progress"
        return ProgressFolder(self.store, stage, fingerprint, prefix)

    def _fetch(self, manifest: Manifest, path: str, members: dict[str, FileEntry]) -> Path:
        home = _home(manifest.stage, manifest.fingerprint)
        prefix = f"{home}/outputs/{tree_name(manifest.files)}"
        for_each(lambda name: self._ensure(f"{prefix}/{name}", members[name]), members)
        return self.store.local_path(f"{prefix}/{path}") or self.cache / prefix / path

    def _ensure(self, key: str, entry: FileEntry) -> None:
        """Verify the file where it lies; bring it into the cache when the store is elsewhere."""
        stored = self.store.local_path(key)
        path = stored or self.cache / key
        got = self._verified.sha256(path) if path.is_file() else None
        if got == entry.sha256:
            return
        if stored is None:
            try:
                self.store.get_file(key, path, sha256=entry.sha256)
            except MissingObjectError as error:
                raise gone(self.store, key, entry) from error
        elif got is None:
            raise gone(self.store, key, entry)
        else:
            raise CorruptObjectError(
                key,
                where=self.store.url,
                expected=entry.sha256,
                got=got,
                remedy=f"The file {path} was damaged or changed after it was stored: restore it "
                f"from a backup, or delete the manifest.json of its stage and run the stage again.",
            )

    def _remove_other_outputs(self, home: str, keep: str) -> None:
        """Free what losers and killed writers left; failing at it harms nothing but space."""
        try:
            for name in list(self.store.folders(f"{home}/outputs")):
                if name != keep:
                    self.store.delete_prefix(f"{home}/outputs/{name}")
        except StoreError as error:
            logger.warning("unused outputs were left under %s: %s", home, error)


def _home(stage: str, fingerprint: str) -> str:
    return f"stages/{check_name(stage)}/{check_name(fingerprint)}"


def _fill(manifest: Manifest, files: dict[str, FileEntry], folder: Path) -> Manifest:
    """The manifest with everything that only the files can tell."""
    artifacts: dict[str, ArtifactEntry] = {}
    for name, entry in manifest.artifacts.items():
        if not below(files, check_key(entry.path)):
            raise StoreError(
                f"stage {manifest.stage!r} promised the artifact {name!r} and wrote nothing at "
                f"{folder / entry.path}. Nothing was committed."
            )
        artifacts[name] = seal_artifact(entry, files)
    report = files[REPORT].sha256 if REPORT in files else None
    return manifest.model_copy(
        update={"artifacts": artifacts, "files": files, "report_sha256": report}
    )
