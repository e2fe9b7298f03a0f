"""One contender of `voltx bench corpus` in a process of its own.

    python -m voltx_core.bench.corpus_host NAME CORPUS TOKENIZER WORKERS

Prints one JSON object: what came out, and the seconds from the first row to the last. Importing and
starting workers is not counted: it does not grow with the corpus.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from voltx_core.data.source_file import SourceFile

PERMUTATIONS = 64
THRESHOLD = 0.8
RUN_TOKENS = 5


def main(name: str, corpus: Path, tokenizer: Path, workers: int) -> None:
    """Run one contender over the corpus and print what it found."""
    found = voltx(corpus, tokenizer, workers) if name == "voltx" else loop(name, corpus, tokenizer)
    print(json.dumps(found))


def voltx(corpus: Path, tokenizer: Path, workers: int) -> dict[str, Any]:
    """Read, filter, deduplicate and tokenise as this library does."""
    from voltx_core.data.cleaning import CleaningReport, clean, crew, tokenise
    from voltx_core.data.corpus import read_corpus

    warm = [SourceFile(path="warm.py", text="def warm(up):\n    return [up, up + 1, up + 2]\n" * 2)]
    with crew(workers) as hands:
        for _ in tokenise(clean(warm * (2 * workers), hands), tokenizer, hands):
            pass
        report = CleaningReport()
        began = time.perf_counter()
        tokens = 0
        for _, ids in tokenise(clean(read_corpus(corpus), hands, report=report), tokenizer, hands):
            tokens += len(ids)
        wall_s = time.perf_counter() - began
    kept = report.duplicates.kept
    return {"wall_s": wall_s, "seen": report.filtered.seen, "kept": kept, "tokens": tokens}


def loop(name: str, corpus: Path, tokenizer: Path) -> dict[str, Any]:
    """The same, row by row: what a script in an afternoon does with the same libraries."""
    from datasketch import MinHash, MinHashLSH
    from tokenizers import Tokenizer

    from voltx_core.data.filters import reason_to_drop
    from voltx_core.data.ngrams import code_tokens_of

    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.encode_special_tokens = True
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    rows = _datasets_rows(corpus) if name == "datasets" else _plain_rows(corpus)
    seen = kept = tokens = 0
    began = time.perf_counter()
    for row in rows:
        seen += 1
        text = row["content"]
        if reason_to_drop(SourceFile(path=row["path"], text=text)):
            continue
        words = code_tokens_of(text)
        signature = MinHash(num_perm=PERMUTATIONS)
        for run in {" ".join(words[n : n + RUN_TOKENS]) for n in range(len(words))}:
            signature.update(run.encode(errors="replace"))
        if index.query(signature):
            continue
        index.insert(str(seen), signature)
        kept += 1
        tokens += len(encoder.encode(text, add_special_tokens=False).ids)
    return {
        "wall_s": time.perf_counter() - began,
        "seen": seen,
        "kept": kept,
        "tokens": tokens,
    }


def _datasets_rows(corpus: Path) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset

    yield from load_dataset("json", data_files=str(corpus), split="train", streaming=True)


def _plain_rows(corpus: Path) -> Iterator[dict[str, Any]]:
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
