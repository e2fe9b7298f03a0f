"""How tests call a command, and a store with a whole model in it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from voltx_core.config import resolve
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace
from voltx_core.store import ArtifactEntry, Manifest

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(workspace, tmp_path, monkeypatch) -> Invoke:
    """Call a command's function with arguments, in an empty folder with its own store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOLTX_STORE", workspace.url)
    monkeypatch.setenv("VOLTX_HOME", str(workspace.home))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("VOLTX_DATA_DIR", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)

    def call(command: Callable[..., None], *arguments: str) -> Result:
        app = typer.Typer(rich_markup_mode="rich", add_completion=False)
        app.command()(command)
        return CliRunner().invoke(app, arguments)

    return call


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """Every file of a model: a real tokenizer, a real codebook, weights that learned nothing."""
    import numpy as np
    import torch

    from voltx_core.hard_core.certainty import FEATURES, Certainty
    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.hard_core.router import IntentRouter
    from voltx_core.hard_core.safety import SafetyAxioms
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.tokenizer import CodeTokenizer
    from voltx_core.translator.translator import Translator

    torch.manual_seed(0)
    folder, config = tmp_path_factory.mktemp("model"), resolve("tiny", environ={})
    width = config.translator.slot_width
    texts = ["def solve(xs):\n    return [x * x for x in xs if x % 2 == 0]", "return the squares"]
    translator = Translator.create(CodeTokenizer.train(texts, 300), config.translator)
    names = ("tokenizer", "encoder", "decoder")
    translator.save(*(folder / name for name in names), config.translator)
    SoftCore(width, config.soft_core).save(folder / "soft_core_sleep")
    IntentRouter(width, 2).save(folder / "router_sleep")
    SafetyAxioms(width, 2).save(folder / "safety")
    draws = np.random.default_rng(0)
    Certainty.fit(
        draws.random((40, len(FEATURES))), draws.random(40) < 0.3, groups=np.arange(40)
    ).save(folder / "certainty_rlvf")
    codebook = Codebook(torch.nn.functional.normalize(torch.randn(32, width)))
    codebook.save(folder / "codebook")
    index = CodebookIndex.build(codebook, links=4, construction=16)
    index.save(folder / "codebook_index")
    return folder


@pytest.fixture
def trained(workspace, model_folder) -> Workspace:
    """A store whose latest run, ``trained``, committed the model."""
    import shutil

    makers: dict[str, list[str]] = {}
    for path in model_folder.iterdir():
        makers.setdefault(graph.makers()[path.name], []).append(path.name)
    record = RunRecord(workspace.artifacts, "trained")
    record.start(resolve("tiny", environ={}), tuple(n for n in graph.MODULES if n in makers))
    for stage, names in makers.items():
        outputs = workspace.home / "made" / stage
        outputs.mkdir(parents=True)
        for name in names:
            shutil.copy(model_folder / name, outputs / name)
        workspace.artifacts.commit(
            Manifest(
                stage=stage,
                number=graph.specs()[stage].number,
                version=1,
                fingerprint="f" * 24,
                artifacts={name: ArtifactEntry(path=name) for name in names},
            ),
            outputs,
        )
        record.stage(stage, state="committed", fingerprint="f" * 24)
    return workspace
