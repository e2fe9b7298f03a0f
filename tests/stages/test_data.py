"""The data stage, for real at the smallest size."""

import json
from pathlib import Path

import pytest

from voltx_core.config import resolve
from voltx_core.data import cleaning
from voltx_core.data.cleaning import CleaningReport
from voltx_core.data.jsonl import read_jsonl, read_problems, write_problems
from voltx_core.data.overlap import find_overlap
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError, Interrupted
from voltx_core.evaluation import verdicts
from voltx_core.stages import data, sources
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.fingerprint import external
from voltx_core.stages.sources import kept_sources

SMALL = (
    "data.generated_problems=60",
    "data.evaluation_problems=6",
    "data.corpus_files=12",
    "data.intents=60",
    "data.held_out_intents=20",
)


@pytest.fixture
def no_data(monkeypatch) -> None:
    monkeypatch.delenv("VOLTX_DATA_DIR", raising=False)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two own problems, one with a reference that is wrong, and a folder of sources."""
    good = Problem(
        id="own/1",
        query="add one",
        solution="def f(x):\n    return x + 1",
        tests=("assert f(1) == 2",),
        entry_point="f",
    )
    bad = Problem(
        id="own/2",
        query="add two",
        solution="def f(x):\n    return x + 1",
        tests=("assert f(1) == 3",),
        entry_point="f",
    )
    write_problems(tmp_path / "own.jsonl", [good, bad])
    sources = tmp_path / "sources"
    sources.mkdir()
    for n in range(14):
        (sources / f"m{n}.py").write_text(
            f'def area_{n}(width, height):\n    """Compute the area of rectangle number {n}."""\n'
            + "".join(f"    step_{i} = width * {i * n + i} + height\n" for i in range(4))
            + "    return width * height\n"
        )
    return tmp_path


@pytest.mark.usefixtures("no_data")
def test_references_are_executed_and_wrong_ones_are_named(own: Path, stage_run) -> None:
    run = stage_run(
        "data", {}, *SMALL, f"data.problems={own}/own.jsonl", f"data.corpus={own}/sources"
    )
    report = data.run(run)
    folder = run.output("problems")
    train = list(read_problems(folder / "train.jsonl"))
    assert any(p.id.startswith("own/1") for p in train)
    assert not any(p.id.startswith("own/2") for p in train)
    assert any("own/2" in note for note in report.notes)
    assert any("HumanEval" in note for note in report.notes)
    for part in data.PARTS:
        assert list(read_problems(folder / f"{part}.jsonl")), part
    pairs = list(read_jsonl(run.output("pairs")))
    assert pairs
    assert all('"""' not in pair["code"] for pair in pairs)
    assert report.counts["corpus files"] <= 12
    held_out = {p.solution for p in read_problems(folder / "compositions.jsonl")}
    assert not held_out & {p.solution for p in train}


@pytest.mark.usefixtures("no_data")
def test_a_bad_line_of_ones_own_is_said_before_any_work(own: Path, stage_run) -> None:
    with (own / "own.jsonl").open("a") as file:
        file.write('{"id": "cut", "query": "add')
    run = stage_run("data", {}, *SMALL, f"data.problems={own}/own.jsonl")
    with pytest.raises(DataError, match=r"own\.jsonl:3: .*data\.on_bad=skip"):
        data.run(run)
    assert run.observer.notes == []


@pytest.mark.usefixtures("no_data")
def test_bad_lines_are_left_out_and_counted_when_asked(own: Path, stage_run) -> None:
    with (own / "own.jsonl").open("a") as file:
        file.write('{"id": "cut", "query": "add')
    run = stage_run(
        "data",
        {},
        *SMALL,
        f"data.problems={own}/own.jsonl",
        f"data.corpus={own}/sources",
        "data.on_bad=skip",
    )
    report = data.run(run)
    assert report.counts["own problems: bad lines left out"] == 1
    train = list(read_problems(run.output("problems") / "train.jsonl"))
    assert any(p.id.startswith("own/1") for p in train)


@pytest.mark.usefixtures("no_data")
def test_two_runs_make_the_same_bytes(own: Path, stage_run) -> None:
    made = []
    for _ in range(2):
        run = stage_run("data", {}, *SMALL, f"data.corpus={own}/sources")
        data.run(run)
        made.append(
            {p.relative_to(run.folder): p.read_bytes() for p in run.folder.rglob("*.jsonl")}
        )
    assert made[0] == made[1]


@pytest.mark.usefixtures("no_data")
def test_verification_goes_on_where_it_was_interrupted(own: Path, stage_run, monkeypatch) -> None:
    monkeypatch.setattr(verdicts, "AT_ONCE", 8)
    settings = (*SMALL, f"data.corpus={own}/sources")
    straight = stage_run("data", {}, *settings)
    data.run(straight)
    stopped = stage_run("data", {}, *settings, home="verify", stop=(stop := StopFlag()))
    monkeypatch.setattr(
        stopped.observer, "progress", lambda done, *_: done == 16 and stop.set("told to")
    )
    with pytest.raises(Interrupted):
        data.run(stopped)
    resumed = stage_run("data", {}, *settings, home="verify")
    seen: list[int] = []
    monkeypatch.setattr(
        resumed.observer,
        "progress",
        lambda done, _total, _unit, note: (
            note == "references-generated-train" and seen.append(done)
        ),
    )
    data.run(resumed)
    assert seen[0] == 16
    for path in straight.folder.rglob("*.jsonl"):
        again = resumed.folder / path.relative_to(straight.folder)
        assert again.read_bytes() == path.read_bytes(), path.name


@pytest.mark.usefixtures("no_data")
def test_the_corpus_goes_on_where_it_was_interrupted(own: Path, stage_run, monkeypatch) -> None:
    settings = (*SMALL, f"data.corpus={own}/sources")
    straight = stage_run("data", {}, *settings)
    wanted = list(kept_sources(straight, CleaningReport()))
    assert len(wanted) > 2
    stopped = stage_run("data", {}, *settings, home="sources", stop=(stop := StopFlag()))
    first = kept_sources(stopped, CleaningReport())
    next(first)
    stop.set("told to")
    with pytest.raises(Interrupted):
        list(first)
    examined: list[str] = []

    def remembered(files, hands, **settings):
        for file, outcome in cleaning.examine(files, hands, **settings):
            examined.append(file.path)
            yield file, outcome

    monkeypatch.setattr(sources, "examine", remembered)
    resumed, report = stage_run("data", {}, *settings, home="sources"), CleaningReport()
    assert list(kept_sources(resumed, report)) == wanted
    assert 0 < len(examined) < report.filtered.seen


def test_exams_come_from_published_sets_and_never_train(published: Path, stage_run) -> None:
    run = stage_run("data", {}, *SMALL, "data.augmentation=4")
    assert run.config.data.directory == str(published)
    report = data.run(run)
    folder = run.output("problems")
    exams = {
        name: list(read_problems(folder / "exams" / f"{name}.jsonl"))
        for name in ("humaneval", "mbpp")
    }
    assert len(exams["humaneval"]) == 164
    assert len(exams["mbpp"]) == 500
    train = list(read_problems(folder / "train.jsonl"))
    asked = {p.query for exam in exams.values() for p in exam}
    assert not asked & {p.query for p in train}
    assert report.counts["dropped: overlap with an exam"] > 0
    # Renaming and rephrasing bring overlaps about that the originals did not have.
    assert report.counts["dropped: augmented into an overlap"] > 0
    assert not find_overlap(train, exams).train_ids


@pytest.fixture
def published() -> Path:
    import os

    place = os.environ.get("VOLTX_DATA_DIR")
    if not place:
        pytest.skip("VOLTX_DATA_DIR is not set: no published data sets here")
    return Path(place).absolute()


def test_the_fingerprint_sees_changed_data_and_not_its_place(own: Path) -> None:
    def outside(name: str) -> dict[str, str]:
        settings = {"data.problems": f"{own}/{name}", "data.corpus": f"{own}/sources"}
        return external(data.SPEC, resolve("tiny", settings, environ={}))

    before = outside("own.jsonl")
    (own / "moved.jsonl").write_bytes((own / "own.jsonl").read_bytes())
    assert outside("moved.jsonl") == before
    with (own / "own.jsonl").open("a") as file:
        file.write(json.dumps({"id": "own/3", "query": "q", "solution": "s", "tests": ["t"]}))
    assert outside("own.jsonl") != before


def test_a_folder_that_is_not_there_is_named(own: Path) -> None:
    config = resolve("tiny", {"data.directory": f"{own}/nowhere"}, environ={})
    with pytest.raises(DataError, match="nowhere does not exist"):
        external(data.SPEC, config)
