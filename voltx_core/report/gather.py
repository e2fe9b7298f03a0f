"""From the records of a run in the store to the content of its report card."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voltx_core.config import PRESET_NAMES, VoltxConfig, dotted, resolve
from voltx_core.config.machine import CostConfig
from voltx_core.errors import ConfigError, StoreError
from voltx_core.report import headline
from voltx_core.report.content import Card, Figure, PlanRow, Setting, StageCard, TargetRow, Verdict
from voltx_core.report.curves import read_curves
from voltx_core.report.reproduction import command
from voltx_core.report.wall_time import wall_time
from voltx_core.stages.spending import account, spells
from voltx_core.store import ArtifactStore, Manifest

logger = logging.getLogger(__name__)

MEDIA_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}
RUN_KEYS = (
    *("run_id", "started_at", "config", "stages", "records", "finished_at", "state", "report"),
    "expected",
)


def gather(
    run: Mapping[str, Any],
    artifacts: ArtifactStore,
    outline: Mapping[str, Mapping[str, Any]],
    work: Mapping[str, Path],
) -> Card:
    """Collect what a report card shows.

    Whatever cannot be read becomes a note of its stage: a damaged record must not cost the
    report of all others.

    Args:
        run: The run's record with the live records of its stages.
        artifacts: The store that holds the results.
        outline: Stage name → number, title, pool and targets as the program now knows them; used
            where the stage has no report of its own.
        work: Local folder of stages that are at work or failed, for the curves so far.
    """
    records = run["records"]
    manifests: dict[str, Manifest] = {}
    stages = []
    for name in run["stages"]:
        record = records.get(name) or {}
        stages.append(
            _stage(name, record, outline.get(name, {}), artifacts, manifests, work.get(name))
        )
    config = run.get("config", {})
    started = _time(run.get("started_at"))
    finished = _time(run.get("finished_at")) or _last_sign(stages)
    overrides, scaled = _settings(config)
    facts = {key: value for key, value in run.items() if key not in RUN_KEYS}
    aside = [name for name, stage in outline.items() if stage.get("aside")]
    known = [name for name in outline if name not in aside]
    return Card(
        run_id=run["run_id"],
        preset=str(config.get("preset", "")),
        seed=int(config.get("seed", 0)),
        store=artifacts.store.url,
        started_at=started,
        finished_at=finished,
        written_at=datetime.now(UTC),
        stages=tuple(stages),
        scores=_scores(stages),
        time=wall_time(started, finished, stages),
        plan=_plan(stages, run.get("expected") or {}),
        account=account(spells(run), _rates(config)),
        machines=_machines(stages),
        overrides=overrides,
        scaled=scaled,
        facts=facts,
        command=command(str(config.get("preset", "")), overrides, run["stages"], known, aside),
    )


def _stage(
    name: str,
    record: Mapping[str, Any],
    outline: Mapping[str, Any],
    artifacts: ArtifactStore,
    manifests: dict[str, Manifest],
    work: Path | None,
) -> StageCard:
    notes: list[str] = []
    report: dict[str, Any] = {}
    manifest = _manifest(name, record, artifacts, notes)
    curves, figures = {}, []
    if manifest is not None:
        manifests[name] = manifest
        report = _json(artifacts, manifest, "report.json", notes)
        curves = read_curves(_text(artifacts, manifest, "metrics.jsonl", notes).splitlines())
        figures = _figures(artifacts, manifest, notes)
    elif work is not None and (work / "metrics.jsonl").is_file():
        curves = read_curves((work / "metrics.jsonl").read_text(errors="replace").splitlines())
    live = record.get("report") or {}
    number = report.get("number") or (manifest and manifest.number) or outline.get("number", "?")
    timings = report.get("timings_s") or live.get("timings_s") or {}
    return StageCard(
        number=number,
        name=name,
        title=report.get("title") or outline.get("title", name),
        pool=outline.get("pool", ""),
        state=record.get("state", "waiting"),
        why=record.get("why", "not started"),
        fingerprint=record.get("fingerprint"),
        started_at=_time(record.get("started_at")),
        finished_at=_time(record.get("finished_at")) or _ended(record),
        earlier=_attempts(record.get("earlier", ())),
        work_s=timings.get("total"),
        created_at=manifest.created_at if manifest else None,
        version=manifest.version if manifest else None,
        progress=record.get("progress"),
        metrics=report.get("metrics") or live.get("metrics") or {},
        counts=report.get("counts") or {},
        tables=report.get("tables") or {},
        notes=(*report.get("notes", ()), *notes),
        targets=_targets(name, number, report.get("targets") or outline.get("targets") or ()),
        timings_s=timings,
        flops=report.get("flops") or 0.0,
        curves=curves,
        figures=tuple(figures),
        inputs=_makers(manifest, manifests),
        input_digests=dict(manifest.inputs) if manifest else {},
        artifacts={
            key: {"path": entry.path, "sha256": entry.sha256, "size": entry.size}
            for key, entry in (manifest.artifacts if manifest else {}).items()
        },
        environment=dict(manifest.environment) if manifest else {},
    )


def _ended(record: Mapping[str, Any]) -> datetime | None:
    """The last sign of a stage that neither goes on nor said when it ended: it was killed."""
    return None if record.get("state") == "running" else _time(record.get("alive_at"))


def _attempts(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[datetime, datetime], ...]:
    spans = (
        (_time(r.get("started_at")), _time(r.get("finished_at") or r.get("alive_at")))
        for r in records
    )
    return tuple((start, end) for start, end in spans if start and end)


def _manifest(
    name: str, record: Mapping[str, Any], artifacts: ArtifactStore, notes: list[str]
) -> Manifest | None:
    if record.get("state") not in ("committed", "reused") or not record.get("fingerprint"):
        return None
    try:
        manifest = artifacts.manifest(name, record["fingerprint"])
    except StoreError as error:
        notes.append(f"Its result cannot be read: {error}")
        return None
    if manifest is None:
        notes.append("Its result is no longer in the store; the run's own record is all there is.")
    return manifest


def _json(
    artifacts: ArtifactStore, manifest: Manifest, path: str, notes: list[str]
) -> dict[str, Any]:
    text = _text(artifacts, manifest, path, notes)
    try:
        found = json.loads(text) if text else {}
    except ValueError as error:
        notes.append(f"Its {path} is not JSON ({error}).")
        return {}
    return found if isinstance(found, dict) else {}


def _text(artifacts: ArtifactStore, manifest: Manifest, path: str, notes: list[str]) -> str:
    return _bytes(artifacts, manifest, path, notes).decode(errors="replace")


def _bytes(artifacts: ArtifactStore, manifest: Manifest, path: str, notes: list[str]) -> bytes:
    if path not in manifest.files:
        return b""
    try:
        return artifacts.fetch_file(manifest, path).read_bytes()
    except (StoreError, OSError) as error:
        logger.warning("%s of %s cannot be read: %s", path, manifest.stage, error)
        notes.append(f"Its {path} cannot be read: {error}")
        return b""


def _figures(artifacts: ArtifactStore, manifest: Manifest, notes: list[str]) -> list[Figure]:
    figures = []
    for path in sorted(manifest.files):
        media_type = MEDIA_TYPES.get(Path(path).suffix.lower())
        if path.startswith("figures/") and media_type:
            data = _bytes(artifacts, manifest, path, notes)
            if data:
                figures.append(Figure(name=Path(path).stem, media_type=media_type, data=data))
    return figures


def _targets(name: str, number: str, rows: Sequence[Mapping[str, Any]]) -> tuple[TargetRow, ...]:
    return tuple(
        TargetRow(
            stage=name,
            number=number,
            title=row["title"],
            metric=row["metric"],
            comparison=row["comparison"],
            value=row["value"],
            measured=row.get("measured"),
            verdict=_verdict(row.get("met")),
        )
        for row in rows
    )


def _verdict(met: bool | None) -> Verdict:
    return "not measured" if met is None else "met" if met else "missed"


def _makers(manifest: Manifest | None, manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """Which stage of this run made each input, by digest: what really went in."""
    if manifest is None:
        return {}
    made = {
        (artifact, entry.sha256): stage
        for stage, other in manifests.items()
        for artifact, entry in other.artifacts.items()
    }
    found = {artifact: made.get((artifact, digest)) for artifact, digest in manifest.inputs.items()}
    return {artifact: stage for artifact, stage in found.items() if stage is not None}


def _scores(stages: Sequence[StageCard]) -> tuple[Any, ...]:
    tables = next((stage.tables for stage in stages if stage.name == "benchmarks"), {})
    return headline.scores(tables)


def _plan(stages: Sequence[StageCard], expected: Mapping[str, Any]) -> tuple[PlanRow, ...]:
    """The plan of every stage whose work this run did."""
    rows = []
    for stage in stages:
        planned = expected.get(stage.name)
        if planned is None or stage.state != "committed" or planned["state"] == "reuse":
            continue
        rows.append(
            PlanRow(
                number=stage.number,
                title=stage.title,
                planned_s=planned["seconds"],
                low_s=planned["low_s"],
                high_s=planned["high_s"],
                actual_s=stage.work_s,
                basis=planned["basis"],
            )
        )
    return tuple(rows)


def _rates(config: Mapping[str, Any]) -> Mapping[str, float]:
    """The prices the run was told; the usual ones where its record has none."""
    found: Mapping[str, float] = (config.get("cost") or {}).get("rates_usd_per_hour") or {}
    return found or CostConfig().rates_usd_per_hour


def _last_sign(stages: Sequence[StageCard]) -> datetime | None:
    """The latest moment any stage recorded; now, while one is at work."""
    if any(stage.state == "running" for stage in stages):
        return datetime.now(UTC)
    moments = [t for stage in stages for t in (stage.started_at, stage.finished_at) if t]
    return max(moments, default=None)


def _machines(stages: Sequence[StageCard]) -> tuple[dict[str, Any], ...]:
    """The distinct environments that results of this run were made in."""
    distinct: dict[str, dict[str, Any]] = {}
    for stage in stages:
        if stage.environment:
            distinct.setdefault(json.dumps(stage.environment, sort_keys=True), stage.environment)
    return tuple(distinct.values())


def _settings(config: Mapping[str, Any]) -> tuple[tuple[Setting, ...], tuple[Setting, ...]]:
    """What differs from the preset, and what the preset has smaller than the plan."""
    if config.get("preset") not in PRESET_NAMES:
        return (), ()
    try:
        used = _flat(VoltxConfig.model_validate(config))
        preset = _flat(resolve(config["preset"], environ={}))
    except (ValueError, ConfigError):  # recorded by a voltx with other settings
        return (), ()
    plan = _flat(VoltxConfig())
    overrides = [
        Setting(key=key, value=value, usual=preset[key])
        for key, value in used.items()
        if value != preset[key]
    ]
    scaled = [
        Setting(key=key, value=value, usual=plan[key])
        for key, value in preset.items()
        if value != plan[key] and key != "preset"
    ]
    return tuple(overrides), tuple(scaled)


def _flat(config: VoltxConfig) -> dict[str, Any]:
    """Leaf settings by dotted key, as JSON would hold them."""
    dumped = dict(dotted(config))
    return json.loads(json.dumps(dumped, default=lambda model: model.model_dump(mode="json")))


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
