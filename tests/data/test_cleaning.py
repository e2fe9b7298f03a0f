"""Workers change the speed and nothing else; what is under way is bounded."""

import random
import subprocess
import sys

import psutil
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from voltx_core.data import cleaning
from voltx_core.data.cleaning import CleaningReport, Crew, clean, crew, tokenise
from voltx_core.data.filters import filter_sources
from voltx_core.data.near_duplicates import drop_near_duplicates
from voltx_core.data.source_file import SourceFile


def source(seed: int, path: str = "") -> SourceFile:
    draw = random.Random(seed)
    lines = [f"name_{draw.randrange(999)} = call_{draw.randrange(999)}()" for _ in range(40)]
    return SourceFile(path=path or f"{seed}.py", text="\n".join(lines))


def corpus() -> list[SourceFile]:
    return [
        *(source(n) for n in range(60)),
        source(3, "copy.py"),
        SourceFile(path="near.py", text=source(5).text + "\nextra = 1"),
        SourceFile(path="tests/test_a.py", text=source(71).text),
        SourceFile(path="tiny.py", text="x"),
    ]


@pytest.fixture
def tokenizer(tmp_path):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator(
        (file.text for file in corpus()), trainers.BpeTrainer(vocab_size=300, show_progress=False)
    )
    trained.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_keeps_what_one_file_after_the_other_keeps(
    monkeypatch, tokenizer, workers
):
    monkeypatch.setattr(cleaning, "BATCH_FILES", 7)
    wanted = list(drop_near_duplicates(filter_sources(corpus())))
    report = CleaningReport()
    with crew(workers) as hands:
        found = list(tokenise(clean(corpus(), hands, report=report), tokenizer, hands))
    assert [file for file, _ in found] == wanted
    assert report.dropped == {
        "test or fixture": 1,
        "too small": 1,
        "same tokens as another": 1,
        "near-duplicate": 1,
    }
    whole = Tokenizer.from_file(str(tokenizer))
    assert all(ids.tolist() == whole.encode(file.text).ids for file, ids in found)


def test_an_endless_corpus_is_read_no_further_than_needed(monkeypatch):
    monkeypatch.setattr(cleaning, "BATCH_FILES", 5)
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield source(read)

    stream = clean(endless(), Crew(None, 1))
    for _ in range(11):
        next(stream)
    assert read <= 15


def test_texts_under_way_are_bounded_by_the_crew(monkeypatch):
    monkeypatch.setattr(cleaning, "BATCH_FILES", 2)
    read = 0

    def counted():
        nonlocal read
        for n in range(1_000):
            read += 1
            yield source(n)

    with crew(2) as hands:
        next(clean(counted(), hands))
    assert read <= 2 * (2 * cleaning.BATCHES_A_WORKER + 2)


def test_workers_end_with_the_process_that_started_them(tmp_path):
    script = tmp_path / "master.py"
    script.write_text(
        "import os, time\n"
        "from voltx_core.data.cleaning import crew\n"
        "def pid(_):\n"
        "    time.sleep(0.2)\n"
        "    return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    with crew(2) as hands:\n"
        "        workers = {pid for _, pid in hands.ordered(pid, [(None, None)] * 4)}\n"
        "        print(*workers, flush=True)\n"
        "        time.sleep(600)\n"
    )
    master = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    workers = [psutil.Process(int(pid)) for pid in master.stdout.readline().split()]
    assert workers
    master.kill()
    master.wait()
    master.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
