"""A small graph of real stages, for tests of everything that goes round a stage.

Four stages that take milliseconds, loaded from files as the stages of voltx are. They go through
the same contract, planning, life cycle, store and report as those that train models.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from voltx_core.config import VoltxConfig, resolve
from voltx_core.stages import graph
from voltx_core.stages.workspace import Workspace

settings.register_profile("voltx", deadline=None)  # how long it takes is no property of the code
settings.load_profile("voltx")

SEEDS = '''
"""Makes a file and a folder from the router settings."""
from voltx_core.stages.contract import Artifact, StageReport, StageSpec

SPEC = StageSpec(
    number="1.0", name="seeds", title="Seeds", needs=(),
    makes=(Artifact("seeds", "seeds.txt"), Artifact("pits", "pits")), reads=("router",),
)

def run(run):
    run.output("seeds").write_text("seed " * run.config.router.vectors)
    (run.output("pits") / "a").mkdir(parents=True)
    (run.output("pits") / "a" / "pit.txt").write_text("pit")
    return StageReport(counts={"seeds": run.config.router.vectors})
'''

PRESS = '''
"""Counts to safety.steps with checkpoints, as a training stage does."""
from voltx_core.errors import Interrupted
from voltx_core.stages.contract import Artifact, StageReport, StageSpec, Target

SPEC = StageSpec(
    number="2.0", name="press", title="Press", needs=("seeds",),
    makes=(Artifact("juice", "juice.txt"),), reads=("safety",), pool="gpu",
    targets=(
        Target("yield", ">", 0.5, "more than half becomes juice"),
        Target("clarity", "<", 0.1, "clear juice"),
        Target("aroma", ">=", 0.9, "aroma by panel"),
    ),
)

def run(run):
    import torch

    saved = run.checkpoints.restore("press")
    start, total = (saved.step, int(saved.tensors["total"])) if saved else (0, 0)
    steps = run.config.safety.steps
    for step in range(start, steps):
        if run.stop:
            run.checkpoints.save("press", step, {"total": torch.tensor(total)}, {})
            raise Interrupted(f"{run.stop.reason}; press saved at step {step}")
        total += (step * run.config.seed + 7) % 11
        run.observer.metrics({"press/loss": 1 / (step + 1), "press/lr": 0.1}, step)
        run.observer.progress(step + 1, steps, "steps")
    words = run.inputs["seeds"].read_text().split()
    run.output("juice").write_text(f"{total} from {len(words)}")
    run.figure("heat_map").write_bytes(PIXEL)
    return StageReport(
        metrics={"yield": 0.75, "clarity": 0.25, "aroma": None},
        tables={"Batches": [{"batch": 1, "litres": 2.5}, {"batch": 2, "litres": None}]},
        notes=["The panel was not at home: aroma was not measured."],
        timings_s={"squeezing": 0.5}, flops=12e9,
    )

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf500f0003860180f5b0be9c"
    "0000000049454e44ae426082"
)
'''

TASTE = '''
"""Reads the seeds beside the press."""
import json

from voltx_core.stages.contract import Artifact, StageReport, StageSpec

SPEC = StageSpec(
    number="2.1", name="taste", title="Taste", needs=("seeds", "pits"),
    makes=(Artifact("tasting", "tasting.json"),), reads=("certainty", "alignment.sleep.steps"),
)

def run(run):
    text = (run.inputs["pits"] / "a" / "pit.txt").read_text()
    run.output("tasting").write_text(json.dumps({"bins": run.config.certainty.bins, "pit": text}))
    return StageReport(metrics={"bins": float(run.config.certainty.bins)})
'''

BENCHMARKS = '''
"""The exam: its tables become the headline."""
from voltx_core.stages.contract import Artifact, StageReport, StageSpec

SPEC = StageSpec(
    number="3.0", name="benchmarks", title="Benchmarks", needs=("juice", "tasting"),
    makes=(Artifact("benchmarks", "benchmarks.jsonl"),), reads=("benchmarks",),
)

def run(run):
    run.output("benchmarks").write_text("{}\\n")
    row = {"split": "held-out compositions", "problems": 200}
    return StageReport(tables={"Headline": [
        row | {"label": "after 2.1", "kind": "model", "pass@1": 0.41, "low": 0.34, "high": 0.48},
        row | {"label": "after 4.3", "kind": "model", "pass@1": 0.52, "low": 0.45, "high": 0.59},
        row | {"label": "zero frame", "kind": "ablation", "pass@1": 0.0, "low": 0.0, "high": 0.02},
        row | {"label": "true frame", "kind": "ablation", "pass@1": None},
        row | {"label": "transformer baseline", "kind": "baseline", "pass@1": 0.6,
               "low": 0.53, "high": 0.67},
    ]})
'''

SOURCES = {"seeds": SEEDS, "press": PRESS, "taste": TASTE, "benchmarks": BENCHMARKS}


class Orchard:
    """The small graph, installed in place of the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: dict[str, ModuleType] = {}
        for name, source in SOURCES.items():
            self.path(name).write_text(source)
            self.load(name)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.py"

    def load(self, name: str) -> ModuleType:
        """Import a stage from its file as it now is."""
        spec = importlib.util.spec_from_file_location(f"orchard_{name}", self.path(name))
        module = importlib.util.module_from_spec(spec)
        exec(compile(self.path(name).read_text(), str(self.path(name)), "exec"), module.__dict__)
        self.modules[name] = module
        graph.specs.cache_clear()
        graph.makers.cache_clear()
        return module

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the source of a stage and import it anew."""
        text = self.path(name).read_text()
        assert old in text
        self.path(name).write_text(text.replace(old, new))
        self.load(name)


@pytest.fixture
def orchard(tmp_path, monkeypatch):
    """The small graph: seeds → press ∥ taste → benchmarks."""
    folder = tmp_path / "orchard"
    folder.mkdir()
    small = Orchard(folder)
    monkeypatch.setattr(graph, "MODULES", tuple(SOURCES))
    monkeypatch.setattr(graph, "module", lambda name: small.modules[name])
    graph.specs.cache_clear()
    graph.makers.cache_clear()
    yield small
    graph.specs.cache_clear()
    graph.makers.cache_clear()


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A new local store and home."""
    environ = {"VOLTX_HOME": str(tmp_path / "home"), "VOLTX_STORE": str(tmp_path / "store")}
    return Workspace.open(environ=environ)


@pytest.fixture
def tiny() -> VoltxConfig:
    """The tiny preset, blind to the environment."""
    return resolve("tiny", {"safety.steps": 20}, environ={})
