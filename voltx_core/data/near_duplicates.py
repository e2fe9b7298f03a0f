"""Dropping files that nearly repeat an earlier one: MinHash with locality-sensitive hashing.

Two files are near-duplicates when the sets of their 5-token runs overlap by a Jaccard index of at
least the threshold, as MinHash estimates it. The first one seen stays.

Memory: one signature and its LSH buckets per kept file, about 3 KB at 64 permutations; texts are
not kept. 160,000 files take about half a GB; ``most_kept`` is the bound.

Source: Broder 1997, "On the resemblance and containment of documents".
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from datasketch import MinHash, MinHashLSH

from voltx_core.data.ngrams import code_tokens_of, gram_hashes
from voltx_core.data.source_file import SourceFile
from voltx_core.errors import DataError

RUN_TOKENS = 5
MOST_RUNS = 4_096
EXAMPLES_KEPT = 20


@dataclass(slots=True)
class DuplicateReport:
    """How many files came in, and how many repeated another exactly or nearly."""

    seen: int = 0
    kept: int = 0
    exact: int = 0
    near: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """(dropped path, path it repeats), the first few."""


def drop_near_duplicates(
    files: Iterable[SourceFile],
    *,
    threshold: float = 0.8,
    permutations: int = 64,
    seed: int = 0,
    most_kept: int = 1_000_000,
    report: DuplicateReport | None = None,
) -> Iterator[SourceFile]:
    """Stream the files that resemble no earlier one.

    Args:
        files: in the order that decides which of two stays.
        threshold: least Jaccard index of token runs that counts as a duplicate, in (0, 1).
        permutations: length of a signature; the estimate's standard error is about
            sqrt(J(1-J)/permutations), 0.05 at 64.
        seed: of the permutations.
        most_kept: refuse to keep more, because each costs memory.
        report: where the counts go.

    Raises:
        DataError: more than ``most_kept`` distinct files.
    """
    counts = DuplicateReport() if report is None else report
    index = MinHashLSH(threshold=threshold, num_perm=permutations)
    blank = MinHash(num_perm=permutations, seed=_seed(seed), hashfunc=int)
    digests: dict[bytes, str] = {}
    signatures: list[MinHash] = []
    paths: list[str] = []
    for file in files:
        counts.seen += 1
        tokens = code_tokens_of(file.text)
        digest = hashlib.blake2b("\0".join(tokens).encode(errors="replace"), digest_size=16)
        key = digest.digest()
        if (earlier := digests.get(key)) is not None:
            counts.exact += 1
            _remember(counts, file.path, earlier)
            continue
        digests[key] = file.path
        signature = blank.copy()
        signature.update_batch(_runs(tokens).tolist())
        # The buckets only propose; the signatures decide. Sorted, because sets are not in order.
        match = next(
            (
                place
                for place in sorted(index.query(signature))
                if signatures[place].jaccard(signature) >= threshold
            ),
            None,
        )
        if match is not None:
            counts.near += 1
            _remember(counts, file.path, paths[match])
            continue
        if counts.kept >= most_kept:
            raise DataError(
                f"more than {most_kept} distinct files: their signatures would exhaust the "
                f"memory. Lower the number of corpus files or raise most_kept."
            )
        index.insert(len(signatures), signature)
        signatures.append(signature)
        paths.append(file.path)
        counts.kept += 1
        yield file


def _runs(tokens: list[str]) -> np.ndarray:
    """Distinct 32-bit hashes of token runs, at most `MOST_RUNS` of them.

    A long file is represented by its smallest hashes: the same choice in every file, so shared
    runs stay shared.
    """
    grams = np.unique(gram_hashes(tokens, min(RUN_TOKENS, max(1, len(tokens)))) >> np.uint64(32))
    return grams[:MOST_RUNS]


def _seed(seed: int) -> int:
    return seed % (1 << 31) + 1


def _remember(report: DuplicateReport, dropped: str, kept: str) -> None:
    if len(report.examples) < EXAMPLES_KEPT:
        report.examples.append((dropped, kept))
