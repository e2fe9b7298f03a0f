"""The corpus of stage 1.0: source files worth keeping, and the documented functions in them."""

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import torch

from voltx_core.data.cleaning import CleaningReport, Outcome, admit, crew, examine
from voltx_core.data.corpus import read_corpus
from voltx_core.data.harvest import harvest_sources
from voltx_core.data.jsonl import read_jsonl
from voltx_core.data.near_duplicates import Fingerprint
from voltx_core.data.pairs import mine_pairs
from voltx_core.data.source_file import SourceFile
from voltx_core.stages.contract import StageRun
from voltx_core.training.pieces import Pieces

MIB = 2**20
MIB_A_WORKER = 16
"""Of corpus, for which one more process is worth starting: imports take it seconds."""


def kept_sources(run: StageRun, cleaning: CleaningReport) -> Iterator[SourceFile]:
    """Files worth keeping, examined on all cores, at most as many as are wanted.

    What was found out about a file is progress: a process that takes over reads the files anew,
    which is quick, and examines only the others.
    """
    config = run.config.data
    source: Iterator[SourceFile]
    if config.corpus:
        source = read_corpus(config.corpus)
    else:
        source = harvest_sources(
            max_files=2 * config.corpus_files,
            max_bytes=2 * config.corpus_mib * MIB,
            seed=run.config.seed,
        )
    count = size = 0
    with Pieces(run, "corpus") as pieces, crew(_workers(config.corpus_mib)) as hands:
        # what was found comes first: zip takes no file for which there is nothing
        known = ((file, outcome) for outcome, file in zip(_found(pieces), source, strict=False))
        fresh = _remembered(pieces, examine(source, hands, seed=run.config.seed))
        for file in admit(chain(known, fresh), report=cleaning):
            yield file
            count, size = count + 1, size + len(file.text.encode())
            if count % 50 == 0:
                run.observer.progress(count, config.corpus_files, "files", "corpus")
            if count >= config.corpus_files or size >= config.corpus_mib * MIB:
                break


def _workers(corpus_mib: int) -> int:
    return max(1, min(len(os.sched_getaffinity(0)), corpus_mib // MIB_A_WORKER))


def _found(pieces: Pieces) -> list[Outcome]:
    """What an earlier process found out about the first files."""
    signatures = pieces.tensor("signatures")
    left = iter(() if signatures is None else signatures.numpy().astype("uint32"))
    return [reason or Fingerprint(int(digest, 16), next(left)) for reason, digest in pieces.rows]


def _remembered(
    pieces: Pieces, examined: Iterable[tuple[SourceFile, Outcome]]
) -> Iterator[tuple[SourceFile, Outcome]]:
    """The same, each kept as progress."""
    for file, outcome in examined:
        if isinstance(outcome, str):
            pieces.add(1, rows=[[outcome, ""]])
        else:
            signature = torch.from_numpy(outcome.signature.astype("int64"))[None]
            pieces.add(1, {"signatures": signature}, [["", f"{outcome.digest:x}"]])
        yield file, outcome


def docstring_pairs(run: StageRun, corpus: Path) -> list[dict[str, str]]:
    """Documented functions of the corpus, as many as are wanted."""
    most = run.config.data.pairs
    with Pieces(run, "pairs") as pieces:
        for row in islice(read_jsonl(corpus), pieces.done, None):
            if len(pieces.rows) >= most:
                break
            mined = mine_pairs(row["content"]) if row["language"] == "python" else []
            pieces.add(
                1,
                rows=[
                    {"code": p.code, "doc": p.docstring, "package": row["package"], "name": p.name}
                    for p in mined
                ],
            )
    return pieces.rows[:most]
