"""`voltx data harvest` and `voltx data stats`: a corpus made here, and what a corpus holds."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from voltx_core.data.source_file import SourceFile

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
LENGTHS_KEPT = 1_000_000
"""Token lengths kept for quantiles; of a larger corpus the first so many."""

Out = Annotated[
    Path,
    typer.Argument(
        metavar="OUT", help="File to write: .jsonl, or .jsonl.gz and .jsonl.xz compressed."
    ),
]
MostFiles = Annotated[
    int | None, typer.Option("--most-files", min=1, help="Stop after so many files were kept.")
]
MostMb = Annotated[
    int | None, typer.Option("--most-mb", min=1, help="Read no more than so many MB of source.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: the usable cores.")
]
Seed = Annotated[int, typer.Option("--seed", help="Chooses the order, and so what a limit keeps.")]
Corpus = Annotated[
    Path,
    typer.Argument(
        metavar="CORPUS",
        help="A .jsonl file (plain, .gz, .bz2, .xz, .zst), a .parquet file, or a folder of source "
        "files and such files.",
    ),
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer", metavar="FILE", help="A tokenizer.json: also report tokens a file."
    ),
]
Skip = Annotated[
    bool, typer.Option("--skip-bad", help="Count unreadable rows and go on instead of stopping.")
]


@explained()
def harvest(
    out: Out,
    most_files: MostFiles = None,
    most_mb: MostMb = None,
    workers: Workers = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Make a corpus of the Python sources on this machine.

    The standard library and installed packages, without tests, generated, minified and repeated
    files. What comes out depends on what is installed.

    Examples:

      voltx data harvest corpus.jsonl.gz

      voltx data harvest sample.jsonl --most-files 200 && voltx data stats sample.jsonl
    """
    from itertools import islice

    from voltx_core.cli.countdown import countdown
    from voltx_core.data.cleaning import CleaningReport, clean, crew
    from voltx_core.data.harvest import harvest_sources
    from voltx_core.data.jsonl import write_jsonl

    if ".jsonl" not in out.suffixes:
        raise ConfigError(f"{out}: a corpus is written as .jsonl, .jsonl.gz or .jsonl.xz.")
    report, told = CleaningReport(), most_files or _sources_here()
    most_bytes = most_mb * 1_000_000 if most_mb else None
    sizes: Counter[str] = Counter()

    def rows(files: "Iterable[SourceFile]") -> Iterator[dict[str, Any]]:
        for file in files:
            sizes["files"] += 1
            sizes["bytes"] += len(file.text.encode(errors="replace"))
            tell(sizes["files"] if most_files else report.filtered.seen, told)
            yield {
                "content": file.text,
                "language": file.language,
                "package": file.package,
                "path": file.path,
            }

    with countdown("harvest, files") as tell, crew(workers) as hands:
        sources = harvest_sources(max_bytes=most_bytes, seed=seed)
        write_jsonl(out, rows(islice(clean(sources, hands, report=report), most_files)))
    facts = {
        "kept": sizes["files"],
        "mb": round(sizes["bytes"] / 1e6, 3),
        "seen": report.filtered.seen,
        "dropped": report.dropped,
    }
    if as_json:
        print(json.dumps(facts))
        return
    _print_facts(facts)
    console().print(
        f"Next: voltx run --set data.corpus={out} --watch", markup=False, soft_wrap=True
    )


@explained()
def stats(
    corpus: Corpus,
    tokenizer: Tokenizer = None,
    workers: Workers = None,
    skip_bad: Skip = False,
    as_json: AsJson = False,
) -> None:
    """Count what a corpus holds, and what the filters would drop of it.

    Streams: memory does not grow with the corpus but by 450 bytes a kept file, which are needed to
    recognise near-duplicates.

    Examples:

      voltx data stats corpus.jsonl.gz

      voltx data stats the-stack/data/python --tokenizer code_tokenizer.json --json
    """
    from voltx_core.cli.countdown import countdown
    from voltx_core.data.cleaning import CleaningReport, clean, crew, tokenise
    from voltx_core.data.corpus import read_corpus
    from voltx_core.data.jsonl import BadLines

    if tokenizer is not None and not tokenizer.is_file():
        raise ConfigError(f"--tokenizer {tokenizer}: no such file. Name a tokenizer.json.")
    read, kept, bad, report = Tally(), Tally(), BadLines(), CleaningReport()
    files = read_corpus(corpus, on_bad="skip" if skip_bad else "raise", report=bad)
    with countdown("stats, MB") as tell, crew(workers) as hands:
        stream = clean(_seen(files, read, _size_of(corpus), tell), hands, report=report)
        if tokenizer is None:
            for file in stream:
                kept.add(file)
        else:
            for file, ids in tokenise(stream, tokenizer, hands):
                kept.add(file, len(ids))
    facts: dict[str, Any] = {
        "seen": read.files,
        "kept": kept.files,
        "mb": round(kept.size / 1e6, 3),
        "mb_seen": round(read.size / 1e6, 3),
        "languages": dict(kept.languages.most_common()),
        "packages": len(kept.packages),
        "dropped": report.dropped | ({"unreadable row": bad.count} if bad.count else {}),
    }
    if tokenizer is not None:
        facts["tokens"] = kept.tokens_summary()
    if as_json:
        print(json.dumps(facts))
    else:
        _print_facts(facts)


@dataclass(slots=True)
class Tally:
    """Counts over files; nothing of them is kept but the lengths in tokens."""

    files: int = 0
    size: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    packages: set[str] = field(default_factory=set)
    tokens: int = 0
    lengths: list[int] = field(default_factory=list)

    def add(self, file: "SourceFile", tokens: int | None = None) -> None:
        """Count one file, and its tokens where they are known."""
        self.files += 1
        self.size += len(file.text.encode(errors="replace"))
        self.languages[file.language or "unknown"] += 1
        if file.package:
            self.packages.add(file.package)
        if tokens is not None:
            self.tokens += tokens
            if len(self.lengths) < LENGTHS_KEPT:
                self.lengths.append(tokens)

    def tokens_summary(self) -> dict[str, int | float]:
        """Tokens in all, bytes a token, and quantiles of the tokens of a file."""
        ordered = sorted(self.lengths)
        summary: dict[str, int | float] = {"all": self.tokens}
        if ordered:
            summary["bytes_a_token"] = round(self.size / max(1, self.tokens), 3)
            for name, share in QUANTILES.items():
                summary[name] = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
            summary["most"] = ordered[-1]
        return summary


def _seen(
    files: "Iterable[SourceFile]", tally: Tally, size: int, tell: "Callable[[int, int], None]"
) -> "Iterator[SourceFile]":
    for file in files:
        tally.add(file)
        # compressed input holds more than its size says: the end is then a guess from below
        done = tally.size // 1_000_000
        tell(done, max(done, size // 1_000_000))
        yield file


def _size_of(corpus: Path) -> int:
    if corpus.is_file():
        return corpus.stat().st_size
    return sum(path.stat().st_size for path in corpus.rglob("*") if path.is_file())


def _sources_here() -> int:
    """Python files on this machine, for the countdown."""
    from voltx_core.data.harvest import source_roots

    return sum(1 for _, root in source_roots() for _ in root.rglob("*.py"))


def _print_facts(facts: dict[str, Any]) -> None:
    out = console()
    for name, value in facts.items():
        if isinstance(value, dict):
            out.print(f"{name}:", markup=False)
            for key, number in value.items():
                out.print(f"  {key:24} {number}", markup=False)
        else:
            out.print(f"{name:26} {value}", markup=False)
