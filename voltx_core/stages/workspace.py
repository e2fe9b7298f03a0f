"""Where a run lives: the store, the local home, and the names of their parts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voltx_core.store import ArtifactStore, open_store

DEFAULT_STORE = "./volt-store"
DEFAULT_HOME = "./.voltx"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The store of a project and the folder for everything local to this machine.

    ``home`` holds the cache of a remote store, work in progress, the Prefect database and logs.
    """

    artifacts: ArtifactStore
    home: Path

    @classmethod
    def open(
        cls, store: str | None = None, *, environ: Mapping[str, str] | None = None
    ) -> "Workspace":
        """Open what VOLTX_STORE and VOLTX_HOME name; by default two folders of the current one.

        Raises:
            StoreError: The URL is not one of a store.
        """
        environ = os.environ if environ is None else environ
        home = Path(environ.get("VOLTX_HOME", DEFAULT_HOME)).absolute()
        url = store or environ.get("VOLTX_STORE", DEFAULT_STORE)
        return cls(ArtifactStore(open_store(url), home / "cache"), home)

    @property
    def url(self) -> str:
        return self.artifacts.store.url

    def work(self, stage: str, fingerprint: str) -> Path:
        """Local folder of one stage while it runs; survives a crash, goes after the commit."""
        return self.home / "work" / stage / fingerprint
