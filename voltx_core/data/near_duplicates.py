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
from typing import Literal

import numpy as np
from datasketch import MinHash, MinHashLSH

from voltx_core.data.ngrams import code_tokens_of, gram_hashes
from voltx_core.data.source_file import SourceFile
from voltx_core.errors import DataError

RUN_TOKENS = 5
MOST_RUNS = 4_096
EXAMPLES_KEPT = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found out about one file."""

    outcome: Literal["new", "exact", "near"]
    digest: bytes
    """Of its tokens, 16 bytes."""
    signature: np.ndarray | None = None
    """``[permutations]``, of a new file."""


@dataclass(slots=True)
class DuplicateReport:
    """How many files came in, and how many repeated another exactly or nearly."""

    seen: int = 0
    kept: int = 0
    exact: int = 0
    near: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """(dropped path, path it repeats), the first few."""


class NearDuplicates:
    """Files seen so far, and whether another one is new.

    What it knows can be told to another process (``Seen``), which then need not look at those
    files again.

    Args:
        threshold: least Jaccard index of token runs that counts as a duplicate, in (0, 1).
        permutations: length of a signature; the estimate's standard error is about
            sqrt(J(1-J)/permutations), 0.05 at 64.
        seed: of the permutations.
        most_kept: refuse to keep more, because each costs memory.
        report: where the counts go.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.8,
        permutations: int = 64,
        seed: int = 0,
        most_kept: int = 1_000_000,
        report: DuplicateReport | None = None,
    ) -> None:
        self.report = DuplicateReport() if report is None else report
        self._threshold, self._most_kept = threshold, most_kept
        self._index = MinHashLSH(threshold=threshold, num_perm=permutations)
        self._blank = MinHash(num_perm=permutations, seed=_seed(seed), hashfunc=int)
        self._digests: dict[bytes, str] = {}
        self._signatures: list[MinHash] = []
        self._paths: list[str] = []

    def look_at(self, file: SourceFile) -> Seen:
        """Compare a file with all that were kept, and keep it when it is new.

        Raises:
            DataError: more than ``most_kept`` distinct files.
        """
        self.report.seen += 1
        tokens = code_tokens_of(file.text)
        digest = hashlib.blake2b("\0".join(tokens).encode(errors="replace"), digest_size=16)
        key = digest.digest()
        if (earlier := self._digests.get(key)) is not None:
            self.report.exact += 1
            _remember(self.report, file.path, earlier)
            return Seen("exact", key)
        signature = self._blank.copy()
        signature.update_batch(_runs(tokens).tolist())
        # The buckets only propose; the signatures decide. Sorted, because sets are not in order.
        match = next(
            (
                place
                for place in sorted(self._index.query(signature))
                if self._signatures[place].jaccard(signature) >= self._threshold
            ),
            None,
        )
        if match is not None:
            self._digests[key] = file.path
            self.report.near += 1
            _remember(self.report, file.path, self._paths[match])
            return Seen("near", key)
        if self.report.kept >= self._most_kept:
            raise DataError(
                f"more than {self._most_kept} distinct files: their signatures would exhaust the "
                f"memory. Lower the number of corpus files or raise most_kept."
            )
        seen = Seen("new", key, signature.hashvalues)
        self._keep(file.path, key, signature)
        return seen

    def recall(self, file: SourceFile, seen: Seen) -> None:
        """Take over what another process found out about a file."""
        self.report.seen += 1
        if seen.signature is not None:
            signature = self._blank.copy()
            signature.hashvalues = seen.signature.astype(signature.hashvalues.dtype)
            self._keep(file.path, seen.digest, signature)
        elif seen.outcome == "near":
            self._digests[seen.digest] = file.path
            self.report.near += 1
        else:
            self.report.exact += 1

    def _keep(self, path: str, digest: bytes, signature: MinHash) -> None:
        self._digests[digest] = path
        self._index.insert(len(self._signatures), signature)
        self._signatures.append(signature)
        self._paths.append(path)
        self.report.kept += 1


def drop_near_duplicates(
    files: Iterable[SourceFile],
    *,
    threshold: float = 0.8,
    permutations: int = 64,
    seed: int = 0,
    most_kept: int = 1_000_000,
    report: DuplicateReport | None = None,
) -> Iterator[SourceFile]:
    """Stream the files that resemble no earlier one; see ``NearDuplicates``."""
    known = NearDuplicates(
        threshold=threshold,
        permutations=permutations,
        seed=seed,
        most_kept=most_kept,
        report=report,
    )
    return (file for file in files if known.look_at(file).outcome == "new")


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
