"""`voltx data ...`: what comes out of each command, and what it says when it cannot."""

import gzip
import json
from pathlib import Path

import pytest

from voltx_core.cli import data_corpus
from voltx_core.cli.data_convert import convert
from voltx_core.cli.data_corpus import harvest, stats
from voltx_core.cli.data_fetch import fetch
from voltx_core.cli.data_verify import verify
from voltx_core.data import harvest as sources
from voltx_core.data import hub
from voltx_core.data.jsonl import read_problems
from voltx_core.store.digest import sha256_file

BODY = "def {name}(value):\n    total = {n}\n    return total * value + {n}\n\n\n"


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A machine whose installed packages are two packages of a few files."""
    root = tmp_path / "site"
    for package in ("one", "two"):
        (root / package).mkdir(parents=True)
        for n in range(4):
            text = "".join(BODY.format(name=f"{package}_{n}_{m}", n=7 * n + m) for m in range(6))
            (root / package / f"m{n}.py").write_text(text)
    (root / "one" / "copy.py").write_text((root / "one" / "m0.py").read_text())
    (root / "two" / "tiny.py").write_text("x = 1\n")
    monkeypatch.setattr(sources, "source_roots", lambda: [("site-packages", root)])
    return root


def mbpp(count: int = 3, first: int = 601) -> str:
    rows = [
        {
            "task_id": first + n,
            "text": "Write a function to double a number.",
            "code": "def double(x):\n    return 2 * x",
            "test_list": ["assert double(2) == 4"],
        }
        for n in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.usefixtures("machine")
def test_a_harvest_is_a_corpus_without_what_was_dropped(invoke, tmp_path):
    done = invoke(harvest, "corpus.jsonl.gz", "--workers", "1", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["seen"], facts["kept"]) == (10, 8)
    assert facts["dropped"] == {"too small": 1, "same tokens as another": 1, "near-duplicate": 0}
    lines = gzip.decompress((tmp_path / "corpus.jsonl.gz").read_bytes()).splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["package"] for row in rows} == {"one", "two"}
    assert all(row["language"] == "python" and row["path"] for row in rows)


@pytest.mark.usefixtures("machine")
def test_a_harvest_stops_where_it_was_told_and_names_the_next_command(invoke, tmp_path):
    done = invoke(harvest, "few.jsonl", "--workers", "1", "--most-files", "3")
    assert len((tmp_path / "few.jsonl").read_text().splitlines()) == 3
    assert "Next: voltx run --set data.corpus=few.jsonl" in done.stdout
    assert "written as .jsonl" in invoke(harvest, "few.txt").output


@pytest.mark.usefixtures("machine")
def test_stats_count_files_bytes_languages_tokens_and_reasons(invoke, tmp_path, model_folder):
    rows = [
        {"content": BODY.format(name=f"name_{n}", n=n) * 4, "language": "python", "repo": "r"}
        for n in range(3)
    ]
    rows += [
        {"content": "fn main() { let value = 1; call(value, other, third) }" * 2, "path": "m.rs"}
    ]
    rows += [{"content": "x"}, rows[0]]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "c.jsonl").write_text(text + "not json\n")
    assert invoke(stats, "c.jsonl", "--workers", "1").exit_code == 1
    done = invoke(
        stats,
        *("c.jsonl", "--workers", "1", "--skip-bad", "--json"),
        *("--tokenizer", str(model_folder / "tokenizer")),
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["seen"] == 6
    assert facts["dropped"]["too small"] == 1
    assert facts["dropped"]["same tokens as another"] == 1
    assert facts["dropped"]["unreadable row"] == 1
    assert facts["languages"].get("rust") == 1
    assert facts["kept"] == sum(facts["languages"].values())
    assert facts["tokens"]["all"] >= facts["tokens"]["most"] >= facts["tokens"]["p50"] > 0


def test_quantiles_are_of_files_and_the_sum_is_of_all(monkeypatch):
    monkeypatch.setattr(data_corpus, "LENGTHS_KEPT", 3)
    tally = data_corpus.Tally()
    file = sources.SourceFile(path="a.py", text="abcd")
    for tokens in (1, 2, 3, 10):
        tally.add(file, tokens)
    assert tally.tokens_summary() == {
        "all": 16,
        "bytes_a_token": 1.0,
        "p50": 2,
        "p90": 3,
        "p99": 3,
        "most": 3,
    }


def test_a_published_set_becomes_problems_that_say_whether_they_may_be_trained_on(
    invoke, tmp_path, monkeypatch
):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "mbpp.jsonl").write_text(mbpp() + mbpp(2, first=20))
    monkeypatch.setenv("VOLTX_DATA_DIR", str(folder))
    done = invoke(convert, "mbpp", "--split", "train", "-o", "train.jsonl")
    assert done.exit_code == 0, done.output
    assert "train: 3, no exam, may be trained on" in done.stdout
    problems = list(read_problems(tmp_path / "train.jsonl"))
    assert [p.id for p in problems] == ["mbpp/601", "mbpp/602", "mbpp/603"]
    whole = invoke(convert, "mbpp", str(folder / "mbpp.jsonl"))
    assert "test: 2, an exam, must not be trained on" in whole.stdout
    assert len(list(read_problems(tmp_path / "mbpp.jsonl"))) == 5


def test_the_same_set_as_parquet_gives_the_same_problems(invoke, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "mbpp.jsonl").write_text(mbpp())
    rows = [json.loads(line) for line in mbpp().splitlines()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train-0.parquet")
    for source, out in (("mbpp.jsonl", "a.jsonl"), ("train-0.parquet", "b.jsonl")):
        assert invoke(convert, "mbpp", source, "-o", out).exit_code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mbppp",), "Did you mean 'mbpp'?"),
        (("mbpp", "x.jsonl", "--split", "dev"), "no split 'dev'"),
        (("apps", "train.jsonl"), "from a folder"),
        (("humaneval",), "HumanEval.jsonl"),
    ],
)
def test_what_cannot_be_converted_is_said_with_what_there_is(invoke, tmp_path, arguments, said):
    (tmp_path / "voltx-data").mkdir()
    done = invoke(convert, *arguments)
    assert done.exit_code in (1, 2)
    assert said in done.output


@pytest.mark.usefixtures("machine")
def test_a_small_preset_needs_nothing_and_a_large_one_names_what_it_needs(invoke):
    assert invoke(verify).exit_code == 0
    done = invoke(verify, "--preset", "single-gpu", "--json")
    assert done.exit_code == 1
    items = {item["name"]: item for item in json.loads(done.stdout)}
    assert {name for name, item in items.items() if item["state"] == "missing"} >= {
        "humaneval",
        "mbpp",
        "apps",
    }
    assert items["mbpp"]["blocks"]
    assert items["mbpp"]["remedy"].startswith("voltx data fetch mbpp --into ")
    assert items["corpus"]["state"] == "short"
    assert "disk" in items


@pytest.mark.usefixtures("machine")
def test_fetched_files_are_compared_with_their_record(invoke, tmp_path):
    home = tmp_path / "voltx-data" / "mbpp"
    home.mkdir(parents=True)
    (home / "mbpp.jsonl").write_text(mbpp())
    facts = {"name": "mbpp", "repository": "r/m", "revision": "0" * 40, "licence": "CC-BY-4.0"}
    digest = sha256_file(home / "mbpp.jsonl")
    file = {"name": "mbpp.jsonl", "size": len(mbpp()), "sha256": digest}
    (home / hub.RECORD).write_text(json.dumps({**facts, "files": [file]}))
    done = invoke(verify)
    assert done.exit_code == 0, done.output
    assert digest[:12] in done.stdout
    (home / "mbpp.jsonl").write_text(mbpp().replace("double", "triple"))
    done = invoke(verify)
    assert done.exit_code == 1
    assert "damaged" in done.stdout
    assert "the sha256 differs" in done.stdout
    assert "0" * 12 in invoke(fetch).stdout


@pytest.mark.usefixtures("machine")
def test_own_files_that_a_setting_names_are_looked_for(invoke, tmp_path):
    assert invoke(verify, "--set", "data.problems=gone.jsonl").exit_code == 1
    (tmp_path / "mine.jsonl").write_text("{}\n")
    done = invoke(verify, "--set", "data.problems=mine.jsonl")
    assert done.exit_code == 0, done.output
    assert sha256_file(tmp_path / "mine.jsonl")[:12] in done.stdout


def test_fetching_from_nowhere_says_what_to_check(invoke, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = invoke(fetch, "mbpp")
    assert done.exit_code == 1
    assert "Check the network" in done.output
