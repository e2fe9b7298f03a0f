"""An index of MinHash signatures that finds earlier files resembling a new one, in little memory.

A signature's numbers are cut into bands; two files that share a whole band are compared number by
number (locality-sensitive hashing, Indyk & Motwani 1998). Bands live in sorted arrays, not in
dictionaries of sets: a few hundred bytes a file instead of 3 KB.
"""

import numpy as np
from datasketch import MinHashLSH

RECENT = 1 << 15
"""Files whose bands are kept in a dictionary before they are merged into the arrays."""
PAGE = 1 << 14
"""Signatures a page: pages are never moved, so growing copies nothing."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


class ResemblanceIndex:
    """Signatures of the files kept so far.

    Args:
        threshold: least share of equal numbers (the estimated Jaccard index) that counts.
        permutations: numbers in a signature.
    """

    def __init__(self, threshold: float, permutations: int) -> None:
        plan = MinHashLSH(threshold=threshold, num_perm=permutations)  # its choice of bands
        self._bands, self._rows = int(plan.b), int(plan.r)
        self._threshold, self._permutations = threshold, permutations
        self._pages: list[np.ndarray] = []
        self._keys = np.empty(0, dtype=np.uint64)  # sorted
        self._owners = np.empty(0, dtype=np.uint32)
        self._recent: dict[int, list[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def bytes_a_file(self) -> int:
        """Lasting memory of a file: its signature and its bands."""
        return 4 * self._permutations + 12 * self._bands

    def find(self, signature: np.ndarray) -> int | None:
        """The earliest file whose signature resembles this uint32 ``[permutations]``, or None."""
        candidates: set[int] = set()
        keys = self._band_keys(signature)
        starts = np.searchsorted(self._keys, keys, side="left")
        ends = np.searchsorted(self._keys, keys, side="right")
        for key, start, end in zip(keys.tolist(), starts, ends, strict=True):
            candidates.update(self._owners[start:end].tolist())
            candidates.update(self._recent.get(key, ()))
        for place in sorted(candidates):
            page, row = divmod(place, PAGE)
            if float((self._pages[page][row] == signature).mean()) >= self._threshold:
                return place
        return None

    def add(self, signature: np.ndarray) -> int:
        """Remember a signature; returns its place, counted from 0."""
        place = self._count
        page, row = divmod(place, PAGE)
        if page == len(self._pages):
            self._pages.append(np.empty((PAGE, self._permutations), dtype=np.uint32))
        self._pages[page][row] = signature
        for key in self._band_keys(signature).tolist():
            self._recent.setdefault(key, []).append(place)
        self._count += 1
        if self._count % RECENT == 0:
            self._merge()
        return place

    def _band_keys(self, signature: np.ndarray) -> np.ndarray:
        """uint64 ``[bands]``: a hash of each band's numbers and of which band it is."""
        used = signature[: self._bands * self._rows].astype(np.uint64)
        keys = np.arange(1, self._bands + 1, dtype=np.uint64) * _MIX
        for number in used.reshape(self._bands, self._rows).T:
            keys = (keys ^ number) * _MIX
            keys ^= keys >> np.uint64(29)
        return keys

    def _merge(self) -> None:
        keys = np.fromiter(
            (key for key, places in self._recent.items() for _ in places), dtype=np.uint64
        )
        owners = np.fromiter(
            (place for places in self._recent.values() for place in places), dtype=np.uint32
        )
        order = np.argsort(keys, kind="stable")
        at = np.searchsorted(self._keys, keys[order], side="right")
        self._keys = np.insert(self._keys, at, keys[order])
        self._owners = np.insert(self._owners, at, owners[order])
        self._recent.clear()
