"""Progress of unfinished stages in the store, so that another machine can go on.

``<stage folder>/progress/<step>/<tree>/...`` are the files, ``progress/<step>/manifest.json``,
written last, makes the step complete and is deleted first.
"""

from pathlib import Path

from voltx_core.errors import StoreError
from voltx_core.store.manifest import Progress, decode, encode
from voltx_core.store.objects import Store
from voltx_core.store.trees import download, replace_folder, scan, tree_name, upload


class ProgressFolder:
    """The progress steps under one prefix of a store.

    Args:
        store: Where.
        stage: Name of the stage.
        fingerprint: Of the stage as configured.
        prefix: ``stages/<stage>/<fingerprint>/progress``.
    """

    def __init__(self, store: Store, stage: str, fingerprint: str, prefix: str) -> None:
        self._store, self._prefix = store, prefix
        self._stage, self._fingerprint = stage, fingerprint

    def save(self, step: int, folder: Path) -> None:
        """Store ``folder`` as the progress at ``step``, replacing an earlier one."""
        if step < 0:
            raise StoreError(f"progress has no step {step}: steps count from 0")
        files = scan(folder)
        upload(self._store, f"{self._prefix}/{step}/{tree_name(files)}", folder, files)
        record = Progress(stage=self._stage, fingerprint=self._fingerprint, step=step, files=files)
        self._store.put_bytes(self._manifest_key(step), encode(record))

    def steps(self) -> list[int]:
        """The complete steps, ascending."""
        return [step for step in self._begun() if self._is_complete(step)]

    def fetch(self, step: int, into: Path) -> None:
        """Copy the files of a step, verified, into the new or empty folder ``into``."""
        key = self._manifest_key(step)
        record = decode(self._store.get_bytes(key), Progress, key=key, url=self._store.url)
        prefix = f"{self._prefix}/{step}/{tree_name(record.files)}"
        replace_folder(into, lambda part: download(self._store, prefix, record.files, part))

    def prune(self, keep: int) -> None:
        """Delete all but the newest ``keep`` complete steps, and incomplete ones before those.

        Incomplete steps after the newest complete one may be on their way: they stay, unless
        ``keep`` is 0, which means that the stage is over.
        """
        if keep < 0:
            raise StoreError(f"cannot keep {keep} progress steps: name 0 or more")
        if keep == 0:
            for step in self._begun():
                self._delete(step)
            return
        complete = self.steps()
        kept = complete[-keep:]
        for step in self._begun():
            if kept and step < kept[-1] and step not in kept:
                self._delete(step)

    def _begun(self) -> list[int]:
        names = self._store.folders(self._prefix)
        return sorted(int(name) for name in names if name.isdecimal())

    def _is_complete(self, step: int) -> bool:
        return self._store.stat(self._manifest_key(step)) is not None

    def _delete(self, step: int) -> None:
        self._store.delete(self._manifest_key(step))
        self._store.delete_prefix(f"{self._prefix}/{step}")

    def _manifest_key(self, step: int) -> str:
        return f"{self._prefix}/{step}/manifest.json"
