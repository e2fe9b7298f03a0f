"""Stages 8.1 and 8.2, run for real on small texts."""

import json
import random

import pytest

from voltx_core.errors import DataError, Interrupted
from voltx_core.stages import vincigpt, vincigpt_corpus
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.fingerprint import fingerprint
from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.stream import TokenStream
from voltx_core.vincigpt.tokenizer import TextTokenizer

SMALL = (
    "vincigpt.steps=24",
    "vincigpt.evaluate_every=8",
    "vincigpt.batch_tokens=512",
    "vincigpt.sample_tokens=12",
    "compute.log_every=1",
)


def story(draw: random.Random) -> str:
    who, what = draw.choice(["cat", "dog", "fox"]), draw.choice(["ball", "hat", "cake"])
    return f"Once there was a {who}. The {who} had a {what}. The {what} was red. The end."


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    path, draw = tmp_path_factory.mktemp("texts") / "stories.jsonl", random.Random(0)
    # No two are the same: single documents are held out.
    rows = [json.dumps({"text": f"{story(draw)} {n}"}) for n in range(600)]
    path.write_text("\n".join(rows) + "\n")
    return path


def source(path) -> str:
    return f"vincigpt.corpus.source={path}"


@pytest.fixture(scope="session")
def corpus(stage_run, texts):
    run = stage_run("vincigpt_corpus", {}, source(texts))
    return vincigpt_corpus.run(run), run.output("vincigpt_corpus")


@pytest.fixture(scope="session")
def trained(stage_run, corpus):
    run = stage_run("vincigpt", {"vincigpt_corpus": corpus[1]}, *SMALL, home="whole")
    return vincigpt.run(run), run


def weights(run, name: str) -> bytes:
    return (run.output("vincigpt") / name).read_bytes()


def test_the_stream_is_the_texts_and_some_are_held_out(corpus, texts):
    report, folder = corpus
    tokenizer = TextTokenizer.load(folder / vincigpt_corpus.TOKENIZER_FILE)
    found: dict[str, list[str]] = {}
    for part in ("train", "validation"):
        stream = TokenStream(folder, part)
        ends = [*stream.offsets[1:], len(stream)]
        found[part] = [
            tokenizer.decode(stream.ids[a + 1 : b].tolist())
            for a, b in zip(stream.offsets, ends, strict=True)
        ]
    written = [json.loads(line)["text"] for line in texts.read_text().splitlines()]
    assert set(found["train"]) < set(written)
    assert not set(found["train"]) & set(found["validation"])
    assert report.counts["training documents"] == len(found["train"])
    assert 0 < report.metrics["ngram_loss"] < 5


def test_it_is_the_same_stream_every_time(stage_run, corpus, texts):
    run = stage_run("vincigpt_corpus", {}, source(texts))
    vincigpt_corpus.run(run)
    for path in sorted(corpus[1].iterdir()):
        assert (run.output("vincigpt_corpus") / path.name).read_bytes() == path.read_bytes()


def test_other_texts_make_another_corpus_and_where_they_lie_does_not(texts, tmp_path):
    from voltx_core.config import resolve

    def identity(path) -> str:
        config = resolve("tiny", [source(path)], environ={})
        outside = vincigpt_corpus.external(config)
        return fingerprint(vincigpt_corpus.SPEC, config, {}, outside)

    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(texts.read_bytes())
    assert identity(copy) == identity(texts)
    copy.write_bytes(texts.read_bytes()[:-30])
    assert identity(copy) != identity(texts)


def test_texts_that_are_not_there_are_named_with_what_names_them(tmp_path):
    from voltx_core.config import resolve

    config = resolve("tiny", [source(tmp_path / "nowhere.txt")], environ={})
    with pytest.raises(DataError, match=r"nowhere\.txt does not exist\. Check --texts or"):
        vincigpt_corpus.external(config)


def test_texts_without_anything_to_hold_out_are_refused(stage_run, tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("Only this. " * 40)
    with pytest.raises(DataError, match="validation_share"):
        vincigpt_corpus.run(stage_run("vincigpt_corpus", {}, source(path)))


@pytest.mark.parametrize("context", [4_096, 30_000])
def test_texts_shorter_than_a_row_are_refused_with_cause_and_remedy(stage_run, corpus, context):
    report, folder = corpus
    short = [f"vincigpt.context={context}", f"vincigpt.batch_tokens={context}"]
    assert report.counts["validation tokens"] <= 4_096 < report.counts["training tokens"] < 30_000
    with pytest.raises(
        DataError, match=r"held out; each part needs \d+.*--texts.*validation_share"
    ):
        vincigpt.run(stage_run("vincigpt", {"vincigpt_corpus": folder}, *SMALL, *short))


def test_a_source_that_is_cut_short_still_has_its_validation_part(stage_run, tmp_path):
    train = "".join(json.dumps({"text": f"{n} " * 2_000}) + "\n" for n in range(300))
    (tmp_path / "train-0.jsonl").write_text(train)  # 2 MiB, and read first
    (tmp_path / "validation-0.jsonl").write_text('{"text": "Once there was a cat."}\n')
    run = stage_run("vincigpt_corpus", {}, source(tmp_path), "vincigpt.corpus.most_mib=1")
    counts = vincigpt_corpus.run(run).counts
    assert counts["validation documents"] == 1
    assert 0 < counts["training documents"] < 300


def test_of_a_fetched_set_only_its_own_files_are_read(stage_run, tmp_path, monkeypatch):
    from voltx_core.data import hub

    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = {"data/train-0.parquet": "one", "data/validation-0.parquet": "two"}
    stray = {"data/train-old.parquet": "older", "more.txt": "others"}  # the second one recorded too
    home = tmp_path / "tinystories"
    (home / "data").mkdir(parents=True)
    for name, text in (names | stray).items():
        if name.endswith(".parquet"):
            table = pyarrow.table({"text": [f"{text} {n}" for n in range(40)]})
            parquet.write_table(table, home / name)
        else:
            (home / name).write_text(text)
    listed = tuple(hub.FetchedFile(name, 1, "") for name in (*names, "more.txt"))
    fetched = hub.Fetched("tinystories", "a/b", "c", "free", listed)
    monkeypatch.setattr(hub, "fetch", lambda *_, **__: fetched)
    run = stage_run("vincigpt_corpus", {}, source("tinystories"), f"data.directory={tmp_path}")
    counts = vincigpt_corpus.run(run).counts
    assert (counts["training documents"], counts["validation documents"]) == (40, 40)


def test_it_learns_looks_and_writes(trained):
    report, run = trained
    losses = [row["loss"] for row in report.tables["Validation"]]
    assert [row["step"] for row in report.tables["Validation"]] == [8, 16, 24]
    assert losses[-1] < losses[0] - 0.3
    assert report.metrics["best_validation_loss"] == min(losses)
    found = report.metrics
    assert found["below_ngram"] == found["ngram_loss"] - found["best_validation_loss"]
    assert 0 < report.timings_s["step"] < report.timings_s["training"]
    assert found["mfu_6n"] is None  # a CPU has no peak in the table
    samples = (run.output("vincigpt") / vincigpt.SAMPLES_FILE).read_text()
    assert samples.count("## Step") == 3
    assert run.observer.figures == ["vincigpt_loss"]
    best = VinciGPT.load(run.output("vincigpt") / vincigpt.BEST_FILE)
    assert best.training_facts["validation_loss"] == found["best_validation_loss"]


def test_counted_arithmetic_agrees_with_the_formula(trained):
    report, _ = trained
    assert report.metrics["flops_counted"] == pytest.approx(report.flops, rel=0.15)


class AfterAWhile(StopFlag):
    """Asks to stop after twelve steps."""

    polls = 0

    def __bool__(self) -> bool:
        type(self).polls += 1
        if self.polls > 12:
            self.set("asked to")
        return self.reason is not None


@pytest.mark.parametrize("ablation", [(), ("vincigpt.optimizer.kind=muon",)])
def test_stopped_and_resumed_it_makes_the_same_bytes(stage_run, corpus, ablation):
    inputs, names = {"vincigpt_corpus": corpus[1]}, (vincigpt.BEST_FILE, vincigpt.LAST_FILE)
    whole = stage_run("vincigpt", inputs, *SMALL, *ablation)
    report = vincigpt.run(whole)
    home = f"cut {ablation}"
    AfterAWhile.polls = 0
    with pytest.raises(Interrupted):
        vincigpt.run(
            stage_run("vincigpt", inputs, *SMALL, *ablation, home=home, stop=AfterAWhile())
        )
    resumed = stage_run("vincigpt", inputs, *SMALL, *ablation, home=home)
    assert 8 < resumed.checkpoints.restore("vincigpt").step < 16  # a look lies before it
    again = vincigpt.run(resumed)
    for name in (*names, vincigpt.SAMPLES_FILE):
        assert weights(resumed, name) == weights(whole, name)
    assert again.tables == report.tables


def test_a_process_that_finds_all_steps_done_reports_what_was_measured(
    stage_run, corpus, monkeypatch
):
    monkeypatch.setattr(vincigpt, "_peak", lambda _: 1e12)  # as of a device in the table
    inputs, few = {"vincigpt_corpus": corpus[1]}, (*SMALL, "vincigpt.steps=4")
    first = vincigpt.run(stage_run("vincigpt", inputs, *few, home="died at its commit"))
    again = vincigpt.run(stage_run("vincigpt", inputs, *few, home="died at its commit"))
    assert first.metrics["mfu_6n"] > 0
    assert again.metrics == first.metrics
    assert again.notes == first.notes
    assert again.timings_s["step"] == first.timings_s["step"]


@pytest.mark.parametrize(
    "change",
    [
        "vincigpt.mask_documents=false",
        'vincigpt.activation="relu2"',
        'vincigpt.optimizer.kind="muon"',
    ],
)
def test_every_ablation_learns_and_is_another_model(stage_run, corpus, trained, change):
    run = stage_run("vincigpt", {"vincigpt_corpus": corpus[1]}, *SMALL, change)
    report = vincigpt.run(run)
    losses = [row["loss"] for row in report.tables["Validation"]]
    assert losses[-1] < losses[0] - 0.2
    assert weights(run, vincigpt.LAST_FILE) != weights(trained[1], vincigpt.LAST_FILE)
