"""Finding a function by its description: MRR and recall, beside BM25 and a bag of tokens."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75


def ranks(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank of the right answer of each query, from 1; ties count against it.

    Args:
        scores: ``[N, N]``, row = query, column = candidate, the right one on the diagonal.
    """
    right = np.diagonal(scores)[:, None]
    return np.asarray((scores >= right).sum(axis=1), dtype=np.int64)


def retrieval_metrics(scores: NDArray[np.float64]) -> dict[str, float]:
    """Mean reciprocal rank, recall@1 and recall@10."""
    place = ranks(scores)
    return {
        "mrr": float((1 / place).mean()),
        "recall@1": float((place <= 1).mean()),
        "recall@10": float((place <= 10).mean()),
    }


def bm25_scores(queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float64]:
    """Okapi BM25, ``[queries, documents]``.

    Source: Robertson & Zaragoza 2009, with k1 = 1.5, b = 0.75 and the +1 inside the logarithm
    that keeps frequent terms from counting negatively.
    """
    vectorizer = _words()
    counts = vectorizer.fit_transform(documents).toarray().astype(float)  # [D, T]
    wanted = vectorizer.transform(queries).toarray() > 0  # [Q, T]
    length = counts.sum(1, keepdims=True)
    containing = (counts > 0).sum(0)
    rarity = np.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))
    norm = K1 * (1 - B + B * length / max(length.mean(), 1e-9))
    weights = rarity * counts * (K1 + 1) / (counts + norm)
    return np.asarray(wanted.astype(float) @ weights.T)


def bag_scores(queries: Sequence[str], documents: Sequence[str]) -> NDArray[np.float64]:
    """Cosine of TF-IDF bags of words, ``[queries, documents]``."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=_PATTERN)
    columns = vectorizer.fit_transform(documents)
    return np.asarray((vectorizer.transform(queries) @ columns.T).toarray())


_PATTERN = r"[A-Za-z]+|\d+"
"""Words inside identifiers count: ``read_file`` is two."""


def _words():  # type: ignore[no-untyped-def]
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(token_pattern=_PATTERN)
