"""The trained model end to end, put together from real files with barely trained parts."""

import numpy as np
import pytest
import torch

from voltx_core.config import resolve
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.frame import ROLES
from voltx_core.generation import ARTIFACTS, Generator
from voltx_core.hard_core.certainty import FEATURES, Certainty
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.index import CodebookIndex
from voltx_core.hard_core.router import STRANDS, IntentRouter
from voltx_core.hard_core.safety import SafetyAxioms
from voltx_core.judge import Judge
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator, Written

QUERIES = ["return the sum of the list", "double every number", "reverse the list"]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("model"), resolve("tiny")
    paths = {name: folder / name for name in ARTIFACTS}
    draw = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    tokenizer = CodeTokenizer.train([*QUERIES, "def solve(xs):\n    return sum(xs)\n"] * 4, 320)
    translator = Translator.create(tokenizer, config.translator)
    files = [paths[name] for name in ("tokenizer", "encoder", "decoder")]
    translator.save(*files, config.translator)
    SoftCore(translator.width, config.soft_core).save(paths["soft_core_sleep"])
    values = np.random.default_rng(0).normal(size=(60, len(FEATURES)))
    Certainty.fit(values, values[:, 0] > 0, np.arange(60)).save(paths["certainty_rlvf"])
    router = IntentRouter(translator.width, 4)
    gists = torch.randn(20, translator.width, generator=draw)
    router.start(gists, torch.eye(5).bool()[torch.arange(20) % 5], draw)
    router.save(paths["router_sleep"])
    SafetyAxioms(translator.width, 4).save(paths["safety"])
    book = Codebook(torch.randn(32, translator.width, generator=draw))
    book.save(paths["codebook"])
    CodebookIndex.build(book, links=4, construction=20).save(paths["codebook_index"])
    return paths


@pytest.fixture
def model(artifacts) -> Generator:
    return Generator.load(artifacts)


def says(model: Generator, code: str, monkeypatch) -> None:
    """Make the decoder write ``code``, whatever the frame."""
    monkeypatch.setattr(
        model.translator,
        "write",
        lambda frame, _asked=None, **_: [Written(code, [3], -1.0, -1.0) for _ in range(len(frame))],
    )


def test_an_answer_says_everything_the_model_knows(model):
    answer = model.generate(QUERIES[0])
    assert 0 <= answer.gamma <= 1
    assert answer.strands[0] in STRANDS
    assert 1 <= answer.iterations <= model.core.config.rar_budget
    assert {near.role for near in answer.nearest} <= set(ROLES)
    assert all(0 <= near.entry < 32 and -1 <= near.cosine <= 1 for near in answer.nearest)
    assert answer.review.safe
    assert answer.verdict is None
    assert answer.audit is None


def test_together_or_alone_the_answers_are_the_same(model):
    problems = [Problem(id=q, query=q, solution="", tests=()) for q in QUERIES]
    together = model.answer(problems)
    assert [a.query for a in together] == QUERIES
    for answer, query in zip(together, QUERIES, strict=True):
        alone = model.generate(query)
        assert alone.code == answer.code
        assert alone.gamma == pytest.approx(answer.gamma, abs=1e-4)


def test_sampling_follows_the_generator(model):
    def drawn(seed: int) -> str:
        source = torch.Generator().manual_seed(seed)
        return model.generate(QUERIES[0], temperature=1.5, generator=source).code

    assert drawn(0) == drawn(0)
    assert len({drawn(n) for n in range(4)}) > 1


def test_tests_are_run_by_the_judge(model, monkeypatch):
    says(model, "def solve(xs):\n    return sum(xs)\n", monkeypatch)
    tests = ("assert solve([1, 2]) == 3", "assert solve([]) == 0")
    with Judge(workers=1) as judge:
        answer = model.generate(QUERIES[0], tests, judge=judge, entry_point="solve")
    assert answer.valid
    assert answer.verdict is not None
    assert answer.verdict.passed
    assert answer.verdict.tests_total == 2


def test_without_a_judge_nothing_is_run(model, monkeypatch):
    says(model, "def solve(xs):\n    return sum(xs)\n", monkeypatch)
    assert model.generate(QUERIES[0], ("assert solve([1]) == 1",)).verdict is None


def test_a_destructive_program_is_refused_recorded_and_never_run(model, monkeypatch):
    says(model, "import shutil\nshutil.rmtree('/')\n", monkeypatch)
    with Judge(workers=1) as judge:
        answer = model.generate(QUERIES[0], ("assert True",), judge=judge)
    assert (answer.code, answer.gamma, answer.nearest) == ("", 0.0, ())
    assert not answer.review.safe
    assert answer.verdict is None
    assert answer.audit is not None
    assert "rmtree" in answer.audit["opening"]
    assert answer.audit["by"] == ["guard"]


def test_a_destructive_request_is_refused(model):
    answer = model.generate("import os; os.system('rm -rf /')")
    assert not answer.review.safe
    assert answer.code == ""
    assert "os.system" in answer.audit["opening"]


def test_the_learned_axioms_can_refuse_too(model):
    model.safety.thresholds.fill_(-2.0)
    answer = model.generate(QUERIES[0])
    assert answer.review.by == ("vectors",)
    assert (answer.code, answer.gamma) == ("", 0.0)


def test_text_that_is_no_program_is_not_valid(model, monkeypatch):
    says(model, "def solve(:", monkeypatch)
    answer = model.generate(QUERIES[0])
    assert answer.code == "def solve(:"
    assert not answer.valid


def test_no_problems_give_no_answers(model):
    assert model.answer([]) == []


def test_an_empty_request_is_refused_as_a_mistake(model):
    with pytest.raises(ValueError, match="at least one word"):
        model.generate("  ")


@pytest.mark.parametrize("broken", ["soft_core_sleep", "certainty_rlvf", "codebook", "safety"])
def test_a_damaged_file_is_named(artifacts, broken, tmp_path):
    damaged = tmp_path / broken
    damaged.write_bytes(artifacts[broken].read_bytes()[:40])
    with pytest.raises(DataError, match=broken):
        Generator.load({**artifacts, broken: damaged})
