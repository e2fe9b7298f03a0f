"""A 3-gram model of the same tokens: what counting alone achieves.

Interpolated Kneser-Ney with three discounts an order, the best of the classical models. It knows
where documents begin, and never looks across.

Source: Chen & Goodman 1998, "An empirical study of smoothing techniques", section 3 and 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
AT_ONCE = 1 << 24
"""Tokens whose 3-grams are counted, or scored, at a time."""


@dataclass(frozen=True, slots=True)
class _Order:
    """Discounted probabilities of one order, and what each history leaves to the order below."""

    keys: Ints
    """Seen n-grams, ascending: history * vocabulary + token."""
    share: Floats
    """(count - discount) / count of the history, of each key."""
    histories: Ints
    left: Floats
    """Mass that a history's discounts set free."""


class Trigram:
    """Learned from a stream ``<eot> document <eot> document ...``.

    Args:
        ids: Tokens, ``[N]``, any integers below ``vocabulary``.
        eot: The token before every document.
        vocabulary: Tokens that exist.
    """

    def __init__(self, ids: NDArray[np.integer], eot: int, vocabulary: int) -> None:
        self._eot, self._vocabulary = eot, vocabulary
        keys = counts = np.zeros(0, dtype=np.int64)
        for chunk in _chunks(ids, eot, vocabulary):
            fresh, times = np.unique(chunk, return_counts=True)
            keys, counts = _merged(keys, counts, fresh, times)
        self._three = _order(keys, counts, vocabulary)
        # Below the highest order an n-gram counts once for each token that stood before it.
        keys, counts = np.unique(keys % vocabulary**2, return_counts=True)
        self._two = _order(keys, counts.astype(np.int64), vocabulary)
        keys, counts = np.unique(keys % vocabulary, return_counts=True)
        one = _order(keys, counts.astype(np.int64), vocabulary)
        self._one = np.full(vocabulary, one.left[0] / vocabulary)
        self._one[one.keys] += one.share

    def loss(self, ids: NDArray[np.integer]) -> float:
        """Mean negative log-probability of ``ids[1:]``, in nats a token."""
        total = sum(float(chunk.sum()) for chunk in self._surprisal(ids))
        return total / (len(ids) - 1)

    def surprisal(self, ids: NDArray[np.integer]) -> Floats:
        """Negative log-probability of each of ``ids[1:]``, in nats."""
        return np.concatenate(list(self._surprisal(ids)))

    def following(self, first: int, second: int) -> Floats:
        """Probability of every token after two others, ``[vocabulary]``.

        Args:
            first: The one before; ``eot`` where a document begins with ``second``.
            second: The last one.
        """
        v = self._vocabulary
        p = self._one.copy()
        start = self._eot if second == self._eot else first
        for order, history in ((self._two, second), (self._three, start * v + second)):
            p *= _found(order.histories, order.left, np.array([history]), 1.0)
            begin, end = np.searchsorted(order.keys, [history * v, (history + 1) * v])
            p[order.keys[begin:end] - history * v] += order.share[begin:end]
        return p

    def _surprisal(self, ids: NDArray[np.integer]) -> Iterator[Floats]:
        for keys in _chunks(ids, self._eot, self._vocabulary):
            p = self._one[keys % self._vocabulary]
            for order, known in (
                (self._two, keys % self._vocabulary**2),
                (self._three, keys),
            ):
                p = _found(order.keys, order.share, known, 0.0) + p * _found(
                    order.histories, order.left, known // self._vocabulary, 1.0
                )
            yield -np.log(p)


def _chunks(ids: NDArray[np.integer], eot: int, vocabulary: int) -> Iterator[Ints]:
    """Keys of the 3-grams that end at each token but the first."""
    for start in range(1, len(ids), AT_ONCE):
        before = np.asarray(ids[max(0, start - 2) : start + AT_ONCE]).astype(np.int64)
        if start == 1:
            before = np.concatenate([[eot], before])
        first, second, third = before[:-2], before[1:-1], before[2:]
        first = np.where(second == eot, eot, first)  # nothing stands before a document
        yield (first * vocabulary + second) * vocabulary + third


def _merged(keys: Ints, counts: Ints, fresh: Ints, times: Ints) -> tuple[Ints, Ints]:
    both = np.concatenate([keys, fresh])
    united, place = np.unique(both, return_inverse=True)
    total = np.bincount(place, weights=np.concatenate([counts, times]), minlength=len(united))
    return united, total.astype(np.int64)


def _order(keys: Ints, counts: Ints, vocabulary: int) -> _Order:
    histories, begin = np.unique(keys // vocabulary, return_index=True)
    total = np.add.reduceat(counts, begin)  # of each history
    often = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    often = np.maximum(often, 1.0)
    y = often[1] / (often[1] + 2 * often[2])
    discounts = np.array([0.0, *(n - (n + 1) * y * often[n + 1] / often[n] for n in (1, 2, 3))])
    # Estimates from few n-grams may be nonsense; every history must leave something.
    discounts[1:] = np.clip(discounts[1:], 0.1, [0.9, 1.9, 2.9])
    taken = discounts[np.minimum(counts, 3)]
    of_history = np.repeat(total, np.diff([*begin, len(keys)]))
    return _Order(
        keys=keys,
        share=(counts - taken) / of_history,
        histories=histories,
        left=np.add.reduceat(taken, begin) / total,
    )


def _found(keys: Ints, values: Floats, wanted: Ints, otherwise: float) -> Floats:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], otherwise)
