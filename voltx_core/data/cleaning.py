"""A corpus from raw files: filtered, deduplicated and tokenised, on all cores, in bounded memory.

    with crew() as hands:
        for file in clean(read_corpus("the-stack"), hands): ...

Workers judge and fingerprint batches of texts; the decision what repeats what is made here, file by
file in the order given, so the result does not depend on the number of workers. A few batches are
under way at a time: what is held of the input is a few megabytes, whatever its size.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from voltx_core.data.filters import LEAST_BYTES, MOST_BYTES, FilterReport, reason_to_drop
from voltx_core.data.near_duplicates import (
    THRESHOLD,
    Deduplicator,
    DuplicateReport,
    Fingerprint,
    fingerprint,
)
from voltx_core.data.source_file import SourceFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH_CHARACTERS = 1 << 20
BATCH_FILES = 256
BATCHES_A_WORKER = 2
"""Batches under way for each worker: one at work, one waiting."""

Outcome = str | Fingerprint
"""Why a file is dropped, or what is compared of it."""
Kept = TypeVar("Kept")
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(slots=True)
class CleaningReport:
    """What was dropped and why: first by the filters, then as duplicates."""

    filtered: FilterReport = field(default_factory=FilterReport)
    duplicates: DuplicateReport = field(default_factory=DuplicateReport)

    @property
    def dropped(self) -> dict[str, int]:
        """Files by reason, most first."""
        return {
            **dict(self.filtered.dropped.most_common()),
            "same tokens as another": self.duplicates.exact,
            "near-duplicate": self.duplicates.near,
        }


class Crew:
    """Worker processes that work through batches in order; with one worker, this process itself.

    Args:
        pool: the processes, or None.
        workers: how many.
    """

    def __init__(self, pool: ProcessPoolExecutor | None, workers: int) -> None:
        self._pool, self._workers = pool, workers

    def ordered(
        self, work: Callable[[Given], Made], batches: Iterable[tuple[Kept, Given]]
    ) -> Iterator[tuple[Kept, Made]]:
        """Yield (what came with the batch, its result) in the order of the batches."""
        if self._pool is None:
            for kept, batch in batches:
                yield kept, work(batch)
            return
        under_way: deque[tuple[Kept, Future[Made]]] = deque()
        for kept, batch in batches:
            under_way.append((kept, self._pool.submit(work, batch)))
            if len(under_way) > BATCHES_A_WORKER * self._workers:
                first, future = under_way.popleft()
                yield first, future.result()
        for kept, future in under_way:
            yield kept, future.result()


@contextmanager
def crew(workers: int | None = None) -> Iterator[Crew]:
    """A `Crew` of so many processes; by default one a usable core."""
    count = workers or len(os.sched_getaffinity(0))
    if count == 1:
        yield Crew(None, 1)
        return
    # spawn: libraries with threads of their own do not survive a fork
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_serve_one_master)
    try:
        yield Crew(pool, count)
    finally:
        pool.shutdown(cancel_futures=True)


def _serve_one_master() -> None:
    """End with the process that started this one, however it ends, and leave Ctrl-C to it.

    Workers hold both ends of the pipe that their work comes through: they would wait forever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    master = multiprocessing.parent_process()
    assert master is not None

    def outlive_nobody() -> None:
        master.join()
        os._exit(1)

    threading.Thread(target=outlive_nobody, daemon=True).start()


def clean(
    files: Iterable[SourceFile],
    hands: Crew,
    *,
    least_bytes: int = LEAST_BYTES,
    most_bytes: int = MOST_BYTES,
    threshold: float = THRESHOLD,
    seed: int = 0,
    report: CleaningReport | None = None,
) -> Iterator[SourceFile]:
    """Stream the files worth keeping that resemble no earlier one.

    Args:
        files: in the order that decides which of two similar files stays.
        hands: who does it.
        least_bytes, most_bytes: smaller and larger files are dropped.
        threshold, seed: of the duplicates; see `Deduplicator` and `fingerprint`.
        report: where the counts go.

    Raises:
        DataError: more distinct files than there is memory for.
    """
    examined = examine(files, hands, least_bytes=least_bytes, most_bytes=most_bytes, seed=seed)
    return admit(examined, threshold=threshold, report=report)


def examine(
    files: Iterable[SourceFile],
    hands: Crew,
    *,
    least_bytes: int = LEAST_BYTES,
    most_bytes: int = MOST_BYTES,
    seed: int = 0,
) -> Iterator[tuple[SourceFile, Outcome]]:
    """Stream files with the reason to drop them or their fingerprint; arguments as of `clean`."""
    work = partial(_examine, least_bytes=least_bytes, most_bytes=most_bytes, seed=seed)
    for batch, found in hands.ordered(work, ((batch, batch) for batch in _batches(files))):
        yield from zip(batch, found, strict=True)


def admit(
    examined: Iterable[tuple[SourceFile, Outcome]],
    *,
    threshold: float = THRESHOLD,
    report: CleaningReport | None = None,
) -> Iterator[SourceFile]:
    """Stream the examined files that are worth keeping and resemble no earlier one.

    Raises:
        DataError: more distinct files than there is memory for.
    """
    counts = CleaningReport() if report is None else report
    seen = Deduplicator(threshold=threshold, report=counts.duplicates)
    for file, outcome in examined:
        counts.filtered.seen += 1
        if isinstance(outcome, str):
            counts.filtered.dropped[outcome] += 1
            continue
        counts.filtered.kept += 1
        if seen.admits(file.path, outcome):
            yield file


def tokenise(
    files: Iterable[SourceFile], tokenizer: Path | str, hands: Crew
) -> Iterator[tuple[SourceFile, np.ndarray]]:
    """Stream files with their token ids (int32 ``[T]``), in order.

    Args:
        files: any number.
        tokenizer: a ``tokenizer.json`` of the library tokenizers.
        hands: who does it.
    """
    work = partial(_encode, str(tokenizer))
    batches = ((batch, [file.text for file in batch]) for batch in _batches(files))
    for batch, (ids, ends) in hands.ordered(work, batches):
        yield from zip(batch, np.split(ids, ends[:-1]), strict=True)


def _batches(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += len(file.text)
        if size >= BATCH_CHARACTERS or len(batch) >= BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _examine(
    batch: Sequence[SourceFile], *, least_bytes: int, most_bytes: int, seed: int
) -> list[Outcome]:
    """For each file the reason to drop it, or its fingerprint."""
    return [
        reason_to_drop(file, least_bytes=least_bytes, most_bytes=most_bytes)
        or fingerprint(file.text, seed=seed)
        for file in batch
    ]


def _encode(tokenizer: str, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """All ids in a row, and where each text's end."""
    encodings = _tokenizer(tokenizer).encode_batch_fast(list(texts), add_special_tokens=False)
    ids = [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
    return np.concatenate(ids), np.cumsum([len(each) for each in ids])


@lru_cache(maxsize=1)
def _tokenizer(path: str) -> "Tokenizer":
    # the processes are the parallelism; threads inside each would fight over the same cores
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.encode_special_tokens = True  # a text that spells a special is text
    return tokenizer
