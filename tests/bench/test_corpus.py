"""`voltx bench corpus` on small corpora: both contenders do the same work."""

import json
import subprocess
import sys

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from voltx_core.bench.corpus_host import loop, voltx
from voltx_core.bench.corpus_input import write_corpus
from voltx_core.data.corpus import read_corpus


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    size = write_corpus(folder / "corpus.jsonl", 1)
    assert size == (folder / "corpus.jsonl").stat().st_size >= 1_000_000
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    texts = (file.text for file in read_corpus(folder / "corpus.jsonl"))
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=600, show_progress=False))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "corpus.jsonl", folder / "tokenizer.json"


def test_the_loop_and_this_library_keep_and_tokenise_the_same(small):
    ours, theirs = voltx(*small, workers=1), loop("loop", *small)
    assert ours["seen"] == theirs["seen"] > 20
    assert abs(ours["kept"] - theirs["kept"]) <= 2  # different permutations estimate differently
    assert ours["tokens"] == pytest.approx(theirs["tokens"], rel=0.05)


def test_copies_under_other_names_are_no_duplicates(tmp_path, monkeypatch):
    from voltx_core.bench import corpus_input
    from voltx_core.data.near_duplicates import DuplicateReport, drop_near_duplicates

    some = [file for file, _ in zip(corpus_input.harvest_sources(seed=0), range(12), strict=False)]
    monkeypatch.setattr(corpus_input, "harvest_sources", lambda **_: some)
    write_corpus(tmp_path / "c.jsonl", 1)
    report = DuplicateReport()
    list(drop_near_duplicates(read_corpus(tmp_path / "c.jsonl"), report=report))
    assert report.seen > 3 * len(some)
    assert report.kept > 0.8 * report.seen


@pytest.mark.integration
def test_the_last_line_is_one_object_in_which_every_null_has_a_reason(tmp_path):
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "corpus", "--json"]
    sizes = ["--mb", "1", "--small-mb", "1", "--large-mb", "2", "--repeat", "1"]
    done = subprocess.run(
        [*command, *sizes], capture_output=True, text=True, timeout=600, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert {"mb_per_s", "vs_datasets", "memory_growth"} <= report["figures"].keys()
    missing = {name for name, value in report["figures"].items() if value is None}
    assert missing == report["why"].keys()
    assert [one["mb"] for one in report["samples"]["memory"]] == pytest.approx([1, 2], rel=0.3)
