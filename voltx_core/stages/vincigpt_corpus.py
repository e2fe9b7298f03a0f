"""8.1 vinciGPT's corpus: texts, a tokenizer learned from them, and a stream of tokens.

voltx vincigpt train
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from voltx_core.config import VoltxConfig
from voltx_core.errors import DataError
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec

if TYPE_CHECKING:
    from voltx_core.vincigpt.texts import Text
    from voltx_core.vincigpt.tokenizer import TextTokenizer

SPEC = StageSpec(
    number="8.1",
    name="vincigpt_corpus",
    title="vinciGPT corpus",
    needs=(),
    makes=(Artifact("vincigpt_corpus", "corpus"),),
    reads=("vincigpt.corpus", "data.directory"),
)
TOKENIZER_FILE, FACTS_FILE = "tokenizer.json", "corpus.json"
HUB_SET = "tinystories"
TEXTS_AT_ONCE = 2_048
"""Texts that are turned into tokens together."""
MIB = 2**20

Source = Callable[[], "Iterator[Text]"]


def external(config: VoltxConfig) -> dict[str, str]:
    """What the texts are: the pinned commit of the hub, this machine's packages, or the files."""
    from voltx_core.data.harvest import machine_digest
    from voltx_core.data.hub import SETS
    from voltx_core.data.location import digest_of

    source = config.vincigpt.corpus.source
    if source == HUB_SET:
        return {"texts": f"{SETS[HUB_SET].repository}@{SETS[HUB_SET].revision}"}
    if source is None:
        facts = "\n".join(f"{k}={v}" for k, v in sorted(machine_digest().items()))
        return {"texts": hashlib.sha256(facts.encode()).hexdigest()}
    return {"texts": digest_of(Path(source), named_by="--texts or vincigpt.corpus.source")}


def run(run: StageRun) -> StageReport:
    """Fetch or find the texts, learn the tokens, write the stream, count 3-grams."""
    from voltx_core.vincigpt.ngram import Trigram
    from voltx_core.vincigpt.stream import StreamWriter, TokenStream

    config, folder = run.config.vincigpt.corpus, run.output("vincigpt_corpus")
    source = _source(run)
    tokenizer = _tokenizer(run, source)
    assert tokenizer.begin is not None
    with (
        StreamWriter(folder, "train", tokenizer.begin) as train,
        StreamWriter(folder, "validation", tokenizer.begin) as validation,
    ):

        def wanted(held_out: bool) -> bool:
            return not held_out or validation.tokens < config.validation_tokens - 1

        for chunk, held_out in _chunks(run, source, wanted):
            if held_out:
                validation.add(tokenizer.encode(chunk), most=config.validation_tokens)
            else:
                train.add(tokenizer.encode(chunk))
            run.stop.check()
            run.observer.progress(train.tokens // 1_000, train.tokens // 1_000, "k tokens")
    if not train.documents or not validation.documents:
        raise DataError(
            f"{config.source or 'This machine'} gave {train.documents} training documents and "
            f"{validation.documents} for validation; both are needed. Give more text, or raise "
            "vincigpt.corpus.validation_share."
        )
    (folder / TOKENIZER_FILE).write_text(tokenizer.text())
    streams = [TokenStream(folder, name).ids for name in ("train", "validation")]
    learned = Trigram(streams[0], tokenizer.begin, tokenizer.entries)
    loss = learned.loss(streams[1])
    facts = {
        "source": config.source,
        "ngram_loss": loss,
        "train_tokens": train.tokens,
        "validation_tokens": validation.tokens,
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1, sort_keys=True))
    return StageReport(
        metrics={"ngram_loss": loss},
        counts={
            "entries": tokenizer.entries,
            "training documents": train.documents,
            "training tokens": train.tokens,
            "validation documents": validation.documents,
            "validation tokens": validation.tokens,
        },
        notes=["ngram_loss: an interpolated Kneser-Ney 3-gram model of the same training tokens."],
    )


def _source(run: StageRun) -> Source:
    """A function that reads the texts from their beginning; fetches them first if need be."""
    from voltx_core.vincigpt.texts import file_texts

    source = run.config.vincigpt.corpus.source
    if source is None:
        return _mined(run)
    if source != HUB_SET:
        return lambda: file_texts(Path(source))
    from fnmatch import fnmatch

    from voltx_core.data import hub

    directory = run.config.data.directory  # kept where data lies, else only while this stage runs
    home = Path(directory) if directory else run.folder.parent / "hub"
    fetched = hub.fetch(
        HUB_SET,
        home,
        revision=hub.SETS[HUB_SET].revision,
        tell=lambda done, total: run.observer.progress(done, total, "KiB", HUB_SET),
    )
    # An older commit, or a fetch of other files, may have left texts beside those of this set.
    names = {
        file.name
        for file in fetched.files
        if any(fnmatch(file.name, pattern) for pattern in hub.SETS[HUB_SET].files)
    }
    return lambda: file_texts(home / HUB_SET, names)


def _mined(run: StageRun) -> Source:
    """The texts of this machine, in a file: finding docstrings takes longer than all the rest."""
    from voltx_core.data.jsonl import read_rows, write_jsonl
    from voltx_core.vincigpt.texts import Text, machine_texts

    path, most = run.folder.parent / "texts.jsonl", run.config.vincigpt.corpus.most_mib

    def rows() -> "Iterator[dict[str, str]]":
        size = 0
        for text in machine_texts(run.config.seed):
            run.stop.check()
            size += len(text.content.encode(errors="replace"))
            if size > most * MIB:
                return
            run.observer.progress(size // 1024, most * 1024, "KiB", "docstrings")
            yield {"text": text.content, "group": text.group}

    if not path.exists():
        write_jsonl(path, rows())
    return lambda: read_rows(path, lambda row: Text(row["text"], row["group"]))


def _tokenizer(run: StageRun, source: Source) -> "TextTokenizer":
    """Learned from training texts only, once: what comes after it may be interrupted."""
    from voltx_core.training.pieces import Pieces, aside, watched
    from voltx_core.vincigpt.tokenizer import TextTokenizer

    config = run.config.vincigpt.corpus

    def texts() -> Iterator[str]:
        size = 0
        for chunk, _ in _chunks(run, source, wanted=lambda held_out: not held_out):
            for text in chunk:
                size += len(text.encode(errors="replace"))
                yield text
            if size > config.tokenizer_mib * MIB:
                return

    with Pieces(run, "tokenizer") as pieces:
        if not pieces.done:
            run.observer.progress(0, 1, "tokenizer", "learning the vocabulary")
            learned = aside(
                run.stop,
                lambda: TextTokenizer.train(watched(run.stop, texts()), config.vocabulary),
            )
            pieces.add(1, rows=[learned.text()])
    return TextTokenizer.of_text(pieces.rows[0])


def _chunks(
    run: StageRun, source: Source, wanted: Callable[[bool], bool]
) -> Iterator[tuple[list[str], bool]]:
    """Texts in the order of the source, up to ``most_mib`` of each part.

    Args:
        run: Whose settings.
        source: The texts.
        wanted: Whether more is wanted of the part that is held out (or of the other).

    Yields:
        Texts of one part, and whether it is the one that is held out.
    """
    from voltx_core.vincigpt.texts import held_out

    config = run.config.vincigpt.corpus
    sizes = {False: 0, True: 0}
    waiting: dict[bool, list[str]] = {False: [], True: []}
    for text in source():
        # A source may begin with all that is trained on: its end must not starve the other part.
        open_parts = [p for p in sizes if sizes[p] <= config.most_mib * MIB and wanted(p)]
        if not open_parts:
            break
        part = held_out(text, run.config.seed, config.validation_share)
        if part not in open_parts:
            continue
        sizes[part] += len(text.content.encode(errors="replace"))
        if text.content.strip() and sizes[part] <= config.most_mib * MIB:
            waiting[part].append(text.content.strip())
            if len(waiting[part]) == TEXTS_AT_ONCE:
                yield waiting[part], part
                waiting[part] = []
    for part, rest in waiting.items():
        if rest:
            yield rest, part
