"""Runs: which stages one run visited, with what fingerprints, and how each is doing now.

``runs/<run id>.json`` is written when a run starts; each stage then owns one small record of its
own, so that stages of one run never write the same object.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from voltx_core.config import VoltxConfig
from voltx_core.stages import graph
from voltx_core.store import ArtifactStore

ATTEMPT = (
    "started_at",
    "finished_at",
    "alive_at",
    "state",
    "why",
    "left_s",
    "host",
    "boot",
    "kind",
)
"""What stays known of an attempt when the next one begins."""


class RunRecord:
    """The record of one run in the store.

    Args:
        artifacts: The store.
        run_id: Letters, digits and dashes.
    """

    def __init__(self, artifacts: ArtifactStore, run_id: str) -> None:
        self.run_id, self.artifacts = run_id, artifacts
        self._mine: dict[str, dict[str, Any]] = {}

    def start(self, config: VoltxConfig, stages: tuple[str, ...], **facts: Any) -> None:
        """Write the run itself: its configuration, its stages, where to watch it."""
        self.artifacts.put_json(
            f"runs/{self.run_id}.json",
            {
                "run_id": self.run_id,
                "started_at": _now(),
                "config": config.model_dump(mode="json"),
                "stages": list(stages),
                **facts,
            },
        )
        self.artifacts.put_json("runs/latest.json", {"run_id": self.run_id})

    def expect(self, expected: Mapping[str, Any]) -> None:
        """Write what each stage of the run is expected to take, before any has begun."""
        self.artifacts.put_json(f"runs/{self.run_id}/plan.json", dict(expected))

    def expected(self) -> dict[str, Any]:
        """What ``expect`` wrote; empty for a run that recorded none."""
        return dict(self.artifacts.get_json(f"runs/{self.run_id}/plan.json") or {})

    def begin(self, name: str, **facts: Any) -> None:
        """Record that an attempt at a stage begins; this run's earlier attempts are kept.

        An attempt that was killed never got a ``finished_at``; its ``alive_at`` is its last sign.
        """
        before, now = self.of(name), _now()
        earlier = list(before.get("earlier", ()))
        if before.get("started_at"):
            earlier.append({key: before.get(key) for key in ATTEMPT})
        self._put(
            name,
            {"earlier": earlier, "started_at": now, "alive_at": now, "state": "running"} | facts,
        )

    def live(self, name: str, progress: Mapping[str, Any]) -> None:
        """Publish the progress of the stage that this process has begun; reads nothing."""
        mine = self._mine.get(name, {})
        self._put(name, mine | {"progress": dict(progress), "alive_at": _now()})

    def stage(self, name: str, **facts: Any) -> None:
        """Merge facts into the live record of a stage and publish it.

        The process of a stage and whoever dispatches it take turns to write, so what the other
        wrote last is read first.
        """
        self._put(name, self.of(name) | facts)

    def of(self, name: str) -> dict[str, Any]:
        """The live record of a stage; empty when there is none."""
        return dict(self.artifacts.get_json(f"runs/{self.run_id}/{name}.json") or {})

    def read(self) -> dict[str, Any] | None:
        """The run with its stages' live records, or None when there is no such run."""
        found = self.artifacts.get_json(f"runs/{self.run_id}.json")
        if found is None:
            return None
        run: dict[str, Any] = dict(found)
        run["records"] = {
            name: self.artifacts.get_json(f"runs/{self.run_id}/{name}.json")
            for name in run["stages"]
        }
        return run

    def _put(self, name: str, record: Mapping[str, Any]) -> None:
        self._mine[name] = {"name": name, **record}
        self.artifacts.put_json(f"runs/{self.run_id}/{name}.json", self._mine[name])

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of the stages that this run has committed or reused."""
        run = self.read() or {"records": {}}
        return {
            name: record["fingerprint"]
            for name, record in run["records"].items()
            if record and record.get("state") in ("committed", "reused")
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row a stage in graph order: number, name, state, why, fingerprint, progress."""
        run = self.read() or {"stages": [], "records": {}}
        return [_row(name, run["records"].get(name) or {}) for name in run["stages"]]


def latest(artifacts: ArtifactStore) -> str | None:
    """Id of the run that started last, or None."""
    found = artifacts.get_json("runs/latest.json")
    return str(found["run_id"]) if found else None


def history(artifacts: ArtifactStore) -> list[str]:
    """Ids of all runs, the one that started last first."""
    keys = (info.key for info in artifacts.store.list("runs/"))
    names = [key.split("/")[1] for key in keys if key.count("/") == 1 and key.endswith(".json")]
    runs = [artifacts.get_json(f"runs/{name}") for name in names if name != "latest.json"]
    started = sorted((run["started_at"], run["run_id"]) for run in runs if run and "stages" in run)
    return [run_id for _, run_id in reversed(started)]


def _row(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    spec = graph.specs()[name]
    return {
        "number": spec.number,
        "name": name,
        "title": spec.title,
        "state": record.get("state", "waiting"),
        "why": record.get("why", "not started"),
        "fingerprint": record.get("fingerprint"),
        "started_at": record.get("started_at"),
        "finished_at": record.get("finished_at"),
        "progress": record.get("progress"),
        "report": record.get("report"),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
