"""Dropping files that nearly repeat an earlier one: MinHash with locality-sensitive hashing.

Two files are near-duplicates when the sets of their 5-token runs overlap by a Jaccard index of at
least the threshold, as MinHash estimates it. The first one seen stays.

Memory: texts are not kept. A kept file costs its signature, its bands and its digest, about 450
bytes at 64 permutations: a million files take 0.5 GB, 13 million 6 GB; ``most_kept`` is the
bound.

Source: Broder 1997, "On the resemblance and containment of documents".
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from datasketch import MinHash

from voltx_core.data.ngrams import code_tokens_of, gram_hashes
from voltx_core.data.resemblance import ResemblanceIndex
from voltx_core.data.source_file import SourceFile
from voltx_core.errors import DataError

RUN_TOKENS = 5
MOST_RUNS = 4_096
THRESHOLD = 0.8
PERMUTATIONS = 64
MOST_KEPT = 16_000_000
EXAMPLES_KEPT = 20
PATHS_KEPT = 100_000
"""Kept files whose paths are remembered, to name one in an example."""


@dataclass(slots=True)
class DuplicateReport:
    """How many files came in, and how many repeated another exactly or nearly."""

    seen: int = 0
    kept: int = 0
    exact: int = 0
    near: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """(dropped path, path it repeats), the first few."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is compared of a file: a digest of its tokens and its MinHash signature (uint32)."""

    digest: int
    signature: np.ndarray


def fingerprint(text: str, *, permutations: int = PERMUTATIONS, seed: int = 0) -> Fingerprint:
    """Fingerprint of a source text; the same in every process.

    Args:
        permutations: length of the signature; the estimate's standard error is about
            sqrt(J(1-J)/permutations), 0.05 at 64.
        seed: of the permutations.
    """
    tokens = code_tokens_of(text)
    joined = "\0".join(tokens).encode(errors="replace")
    digest = int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest())
    signature = _blank(permutations, seed).copy()
    signature.update_batch(_runs(tokens).tolist())
    return Fingerprint(digest, signature.hashvalues.astype(np.uint32))


class Deduplicator:
    """Decides file by file, in order, from fingerprints alone.

    Args:
        threshold: least Jaccard index of token runs that counts as a duplicate, in (0, 1).
        permutations: length of the fingerprints' signatures.
        most_kept: refuse to keep more, because each costs memory.
        report: where the counts go.
    """

    def __init__(
        self,
        *,
        threshold: float = THRESHOLD,
        permutations: int = PERMUTATIONS,
        most_kept: int = MOST_KEPT,
        report: DuplicateReport | None = None,
    ) -> None:
        self.report = DuplicateReport() if report is None else report
        self._index = ResemblanceIndex(threshold, permutations)
        self._digests: dict[int, int] = {}
        self._most_kept = most_kept
        self._paths: list[str] = []

    def admits(self, path: str, mark: Fingerprint) -> bool:
        """Whether the file resembles none admitted before; if so it is admitted.

        Raises:
            DataError: more than ``most_kept`` distinct files.
        """
        report = self.report
        report.seen += 1
        earlier = self._digests.get(mark.digest)
        if earlier is not None:
            report.exact += 1
            self._remember(path, earlier)
            return False
        match = self._index.find(mark.signature)
        if match is not None:
            report.near += 1
            self._remember(path, match)
            return False
        if report.kept >= self._most_kept:
            raise DataError(
                f"more than {self._most_kept} distinct files: their signatures would exhaust the "
                f"memory. Lower the number of corpus files or raise most_kept."
            )
        self._digests[mark.digest] = self._index.add(mark.signature)
        if len(self._paths) < PATHS_KEPT:
            self._paths.append(path)
        report.kept += 1
        return True

    def _remember(self, dropped: str, place: int) -> None:
        if len(self.report.examples) < EXAMPLES_KEPT and place < len(self._paths):
            self.report.examples.append((dropped, self._paths[place]))


def drop_near_duplicates(
    files: Iterable[SourceFile],
    *,
    threshold: float = THRESHOLD,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    most_kept: int = MOST_KEPT,
    report: DuplicateReport | None = None,
) -> Iterator[SourceFile]:
    """Stream the files that resemble no earlier one; the order decides which of two stays.

    Args:
        files: in that order.
        seed: of the permutations.
        threshold, permutations, most_kept, report: as of `Deduplicator`.

    Raises:
        DataError: more than ``most_kept`` distinct files.
    """
    seen = Deduplicator(
        threshold=threshold, permutations=permutations, most_kept=most_kept, report=report
    )
    for file in files:
        if seen.admits(file.path, fingerprint(file.text, permutations=permutations, seed=seed)):
            yield file


@lru_cache(maxsize=4)
def _blank(permutations: int, seed: int) -> MinHash:
    return MinHash(num_perm=permutations, seed=_seed(seed), hashfunc=int)


def _runs(tokens: list[str]) -> np.ndarray:
    """Distinct 32-bit hashes of token runs, at most `MOST_RUNS` of them.

    A long file is represented by its smallest hashes: the same choice in every file, so shared
    runs stay shared.
    """
    grams = np.unique(gram_hashes(tokens, min(RUN_TOKENS, max(1, len(tokens)))) >> np.uint64(32))
    return grams[:MOST_RUNS]


def _seed(seed: int) -> int:
    return seed % (1 << 31) + 1
