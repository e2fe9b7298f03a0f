"""Finding a function by its description: MRR and recall, beside BM25 and a bag of tokens."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75


def ranks(
    scores: NDArray[np.float64], answers: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Rank of the right answer of each query, from 1; ties count against it.

    Args:
        scores: ``[Q, C]``, row = query, column = candidate.
        answers: Column of the right candidate of each query; without it, the diagonal.
    """
    rows = np.arange(len(scores))
    right = scores[rows, rows if answers is None else answers][:, None]
    return np.asarray((scores >= right).sum(axis=1), dtype=np.int64)


def retrieval_metrics(
    scores: NDArray[np.float64], answers: NDArray[np.int64] | None = None
) -> dict[str, float]:
    """Mean reciprocal rank, recall@1 and recall@10; arguments as for ``ranks``."""
    place = ranks(scores, answers)
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
    counts = vectorizer.fit_transform(documents).astype(float)  # [D, T], sparse
    wanted = (vectorizer.transform(queries) > 0).astype(float)  # [Q, T]
    length = np.asarray(counts.sum(1)).ravel()
    containing = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))
    norm = K1 * (1 - B + B * length / max(length.mean(), 1e-9))
    of_document = np.repeat(norm, np.diff(counts.indptr))
    weights = counts.copy()
    weights.data = rarity[counts.indices] * counts.data * (K1 + 1) / (counts.data + of_document)
    return np.asarray((wanted @ weights.T).toarray())


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
