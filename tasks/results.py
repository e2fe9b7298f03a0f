"""Results of a stage in the Prefect UI: metrics against targets, tables, pictures, cost."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.publisher import artifact_key
from voltx_core.config.machine import CostConfig
from voltx_core.report.formatting import duration, money
from voltx_core.stages.lifecycle import Finished
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.spending import Account, spent
from voltx_core.stages.workspace import Workspace

PICTURES = "figures/"
LARGEST_BYTES = 1_500_000
"""Pictures of one artifact, together; the server keeps artifacts in its database."""
VERDICTS = {True: "met", False: "missed", None: "not measured"}


def publish(finished: Finished, workspace: Workspace) -> None:
    """Show a committed or reused stage: ``<stage>-targets`` and ``<stage>-report``."""
    key = artifact_key(finished.name)
    create_table_artifact(
        rows(finished.report),
        key=f"{key}-targets",
        description=f"{finished.report['number']} · {finished.report['title']}: what was measured",
    )
    create_markdown_artifact(
        page(finished.report, pictures(finished, workspace)),
        key=f"{key}-report",
        description=f"{finished.report['number']} · {finished.report['title']}",
    )


def publish_cost(run_id: str, cost: CostConfig, workspace: Workspace) -> None:
    """Show what the run has cost so far, machine by machine, as the artifact ``cost``."""
    account = spent(RunRecord(workspace.artifacts, run_id), cost)
    of = "" if cost.budget_usd is None else f" of {money(cost.budget_usd)}"
    text = f"{run_id}: {money(account.paid_usd)}{of}, {money(account.idle_usd)} of it idle"
    create_table_artifact(cost_rows(account), key="cost", description=text)


def cost_rows(account: Account) -> list[dict[str, str]]:
    """A row a machine."""
    return [
        {
            "machine": machine.host,
            "kind": machine.kind,
            "an hour": money(machine.usd_per_hour),
            "there": duration(machine.there_s),
            "idle": duration(machine.there_s - machine.busy_s),
            "paid": money(machine.paid_usd),
        }
        for machine in account.machines
    ]


def rows(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """Targets first, each beside its measurement; then the metrics that no target names."""
    table = [
        {
            "metric": target["metric"],
            "promised": f"{target['title']} {target['comparison']} {number(target['value'])}",
            "measured": number(target["measured"]),
            "verdict": VERDICTS[target["met"]],
        }
        for target in report["targets"]
    ]
    named = {target["metric"] for target in report["targets"]}
    table += [
        {"metric": name, "promised": "", "measured": number(value), "verdict": ""}
        for name, value in report["metrics"].items()
        if name not in named
    ]
    return table


def page(report: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """Notes, tables, pictures and timings as Markdown."""
    parts = [f"# {report['number']} · {report['title']}"]
    parts += [f"- {note}" for note in report["notes"]]
    for title, table in report["tables"].items():
        parts += [f"## {title}", markdown_table(table)]
    for name, content in images.items():
        data = base64.b64encode(content).decode()
        parts.append(f"![{name}](data:image/png;base64,{data})")
    timings = [{"part": name, "seconds": s} for name, s in sorted(report["timings_s"].items())]
    parts += ["## Time", markdown_table(timings)]
    return "\n\n".join(parts)


def pictures(finished: Finished, workspace: Workspace) -> dict[str, bytes]:
    """The stage's pictures from the store, as many as fit."""
    found: dict[str, bytes] = {}
    room = LARGEST_BYTES
    for path in sorted(finished.manifest.files):
        if path.startswith(PICTURES) and path.endswith(".png"):
            content = workspace.artifacts.fetch_file(finished.manifest, path).read_bytes()
            if len(content) <= room:
                found[path.removeprefix(PICTURES).removesuffix(".png")] = content
                room -= len(content)
    return found


def markdown_table(table: Sequence[Mapping[str, Any]]) -> str:
    """A table of rows with equal keys."""
    if not table:
        return "(empty)"
    names = list(table[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(number(row.get(name)) for name in names) for row in table]
    return "\n".join(f"| {line} |" for line in lines)


def number(value: Any) -> str:
    """Four digits for measurements, everything else as it is; nothing for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
