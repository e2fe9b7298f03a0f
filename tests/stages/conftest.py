"""Small real inputs for stage modules: generated problems, untrained models, a way to run."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from voltx_core.config import resolve
from voltx_core.stages import graph
from voltx_core.stages.contract import StageRun, StopFlag
from voltx_core.training.checkpoint import Checkpoints

RunStage = Callable[..., StageRun]


class Notebook:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.figures: list[str] = []
        self.curves: dict[str, list[float]] = {}
        self.notes: list[str] = []

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        assert 0 <= done <= total
        self.notes.append(f"{note} ({unit})")

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        assert step > 0
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)

    def figure(self, name: str, path: Path) -> None:
        assert path.stat().st_size > 0
        self.figures.append(name)


@pytest.fixture(scope="session")
def problems_folder(tmp_path_factory) -> Path:
    """What the data stage writes under ``problems``, from the generator, a few of each."""
    from voltx_core.data.generator import SplitCounts, generate_problems
    from voltx_core.data.jsonl import write_problems

    folder = tmp_path_factory.mktemp("problems")
    counts = SplitCounts(
        train=90, validation=6, calibration=6, heldout=3, compositions=3, phrasing=2, replay=3
    )
    for name, problems in generate_problems(0, counts).items():
        write_problems(folder / f"{name}.jsonl", problems)
    return folder


@pytest.fixture(scope="session")
def translator_files(tmp_path_factory, problems_folder) -> dict[str, Path]:
    """Tokenizer, encoder and decoder of the tiny preset: a real tokenizer, untrained weights."""
    from voltx_core.data.jsonl import read_problems
    from voltx_core.translator.tokenizer import CodeTokenizer
    from voltx_core.translator.translator import Translator

    folder, config = tmp_path_factory.mktemp("translator"), resolve("tiny").translator
    problems = list(read_problems(problems_folder / "train.jsonl"))
    tokenizer = CodeTokenizer.train([f"{p.query}\n{p.solution}" for p in problems], 512)
    torch.manual_seed(0)
    translator = Translator.create(tokenizer, config)
    paths = {
        "tokenizer": folder / "code_tokenizer.json",
        "encoder": folder / "code_encoder.safetensors",
        "decoder": folder / "code_decoder.safetensors",
    }
    translator.save(*paths.values(), config)
    return paths


@pytest.fixture(scope="session")
def soft_core_files(tmp_path_factory) -> dict[str, Path]:
    """An untrained soft core under the name of every checkpoint."""
    from voltx_core.soft_core.soft_core import SoftCore

    folder, config = tmp_path_factory.mktemp("cores"), resolve("tiny")
    paths = {}
    names = ("soft_core", "soft_core_e2e", "soft_core_rlvf", "soft_core_sleep", "scaled_vfn")
    for seed, name in enumerate(names):
        torch.manual_seed(seed)
        paths[name] = folder / f"{name}.safetensors"
        SoftCore(config.translator.slot_width, config.soft_core).save(paths[name])
    return paths


@pytest.fixture(scope="session")
def budgets(tmp_path_factory) -> dict[str, Path]:
    """What translator and soft core cost: a few GFLOP."""
    folder, paths = tmp_path_factory.mktemp("budgets"), {}
    for name in ("translator_budget", "soft_core_budget"):
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps({"flops": 2e9, "tokens": 10_000}))
    return paths


@pytest.fixture(scope="session")
def hard_core_files(tmp_path_factory, translator_files, problems_folder) -> dict[str, Path]:
    """Codebook, index, router, certainty and axioms, each barely fitted."""
    import numpy as np

    from voltx_core.data.jsonl import read_problems
    from voltx_core.hard_core.certainty import FEATURES, Certainty
    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.hard_core.router import IntentRouter
    from voltx_core.hard_core.safety import SafetyAxioms
    from voltx_core.translator.translator import Translator

    folder = tmp_path_factory.mktemp("hard_core")
    paths = {
        "codebook": folder / "codebook_code.bin",
        "codebook_index": folder / "codebook_code.hnsw",
        "router_sleep": folder / "router.safetensors",
        "safety": folder / "safety.safetensors",
        "certainty_rlvf": folder / "certainty.json",
    }
    translator = Translator.load(*translator_files.values())
    draw = torch.Generator().manual_seed(0)
    book = Codebook(torch.randn(32, translator.width, generator=draw))
    book.save(paths["codebook"])
    CodebookIndex.build(book, links=4, construction=20).save(paths["codebook_index"])
    problems = list(read_problems(problems_folder / "train.jsonl"))
    gists = translator.encode([p.query for p in problems]).gist()
    router = IntentRouter(translator.width, 4)
    router.start(gists, torch.eye(5).bool()[torch.arange(len(gists)) % 5], draw)
    router.save(paths["router_sleep"])
    SafetyAxioms(translator.width, 4).save(paths["safety"])  # thresholds that nothing reaches
    random = np.random.default_rng(0)
    values = random.normal(size=(60, len(FEATURES)))
    Certainty.fit(values, values[:, 0] > 0, np.arange(60)).save(paths["certainty_rlvf"])
    return paths


@pytest.fixture(scope="session")
def stage_run(tmp_path_factory) -> RunStage:
    """Makes a StageRun of the tiny preset; the same ``home`` resumes its checkpoints."""
    homes: dict[str, Path] = {}

    def make(
        name: str,
        inputs: Mapping[str, Path],
        *overrides: str,
        home: str | None = None,
        stop: StopFlag | None = None,
        **settings: Any,
    ) -> StageRun:
        spec, config = graph.module(name).SPEC, resolve("tiny", list(overrides))
        place = tmp_path_factory.mktemp(name)
        if home is not None:
            place = homes.setdefault(f"{name}/{home}", place)
        folder = place / "outputs"
        folder.mkdir(exist_ok=True)
        missing = set(spec.needs) - set(inputs)
        assert not missing, f"test gives no {missing}"
        return StageRun(
            spec=spec,
            config=StageRun.view(spec, config),
            inputs={need: inputs[need] for need in spec.needs},
            folder=folder,
            device="cpu",
            checkpoints=Checkpoints(place / "progress", **{"interval_s": 1e9} | settings),
            observer=Notebook(),
            stop=StopFlag() if stop is None else stop,  # an unset flag is falsy
        )

    return make
