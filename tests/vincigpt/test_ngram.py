"""The 3-gram model: a distribution, and the one that counting by hand gives."""

import math
from collections import Counter

import numpy as np
import pytest

from voltx_core.vincigpt import ngram
from voltx_core.vincigpt.ngram import Trigram

VOCABULARY = 7


def stream(tokens: int, seed: int = 0) -> np.ndarray:
    """Short documents of a language in which the last two tokens matter."""
    random, ids = np.random.default_rng(seed), [0]
    while len(ids) < tokens:
        before = sum(ids[-2:]) % VOCABULARY
        usual = random.random() < 0.7
        ids.append(before if usual else int(random.integers(0, VOCABULARY)))
    return np.array(ids, dtype=np.uint16)


def probability(model: Trigram, first: int, second: int, third: int) -> float:
    """Of one token, out of the loss of streams that end with it."""
    with_it = np.array([first, second, third])
    return math.exp(-(2 * model.loss(with_it) - model.loss(with_it[:2])))


@pytest.mark.parametrize("history", [(0, 0), (1, 2), (3, 3), (2, 0), (6, 5)])
def test_probabilities_of_every_history_sum_to_one(history):
    model = Trigram(stream(300), 0, VOCABULARY)
    total = sum(probability(model, *history, token) for token in range(VOCABULARY))
    assert total == pytest.approx(1.0, abs=1e-9)


def test_nothing_has_no_probability_not_even_a_token_never_seen():
    model = Trigram(stream(300), 0, VOCABULARY + 3)
    assert probability(model, 1, 2, VOCABULARY + 2) > 0
    assert math.isfinite(model.loss(np.array([1, VOCABULARY + 1, VOCABULARY + 2, 0, 1])))


def by_hand(train: list[int], test: list[int], eot: int, vocabulary: int) -> float:
    """Interpolated Kneser-Ney with dictionaries, one token at a time."""

    def triples(ids: list[int]) -> list[tuple[int, int, int]]:
        padded = [eot, *ids]
        return [
            (eot if b == eot else a, b, c)
            for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)
        ]

    three = Counter(triples(train))
    two = Counter((b, c) for _, b, c in three)
    one = Counter(c for _, c in two)

    def discounted(counts, history):
        often = Counter(counts.values())
        n = [0, *(max(1, often[k]) for k in (1, 2, 3, 4))]
        y = n[1] / (n[1] + 2 * n[2])
        cut = [min(max(k - (k + 1) * y * n[k + 1] / n[k], 0.1), k - 0.1) for k in (1, 2, 3)]
        total, left = Counter(), Counter()
        for key, count in counts.items():
            total[history(key)] += count
            left[history(key)] += cut[min(count, 3) - 1]

        def p(key, lower: float) -> float:
            h = history(key)
            if h not in total:
                return lower
            own = counts.get(key, 0)
            kept = own - cut[min(own, 3) - 1] if own else 0.0
            return kept / total[h] + left[h] / total[h] * lower

        return p

    p3 = discounted(three, lambda key: key[:2])
    p2 = discounted(two, lambda key: key[0])
    p1 = discounted(one, lambda _: ())
    losses = [
        -math.log(p3((a, b, c), p2((b, c), p1(c, 1 / vocabulary)))) for a, b, c in triples(test)
    ]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("tokens", [40, 400])
def test_it_is_the_model_that_dictionaries_give(tokens):
    train, test = stream(tokens), stream(90, seed=1)
    found = Trigram(train, 0, VOCABULARY).loss(test)
    assert found == pytest.approx(by_hand(train.tolist(), test.tolist(), 0, VOCABULARY), abs=1e-9)


def test_counting_in_pieces_changes_nothing(monkeypatch):
    train, test = stream(500), stream(200, seed=1)
    whole = Trigram(train, 0, VOCABULARY).loss(test)
    monkeypatch.setattr(ngram, "AT_ONCE", 37)
    assert Trigram(train, 0, VOCABULARY).loss(test) == pytest.approx(whole, abs=1e-12)


def test_it_learns_what_two_tokens_tell():
    train, test = stream(20_000), stream(2_000, seed=1)
    usual = 0.7 + 0.3 / VOCABULARY
    rare = 0.3 / VOCABULARY
    entropy = -(usual * math.log(usual) + (VOCABULARY - 1) * rare * math.log(rare))
    # At the start of a document it may not look back, so it stays a little above.
    assert entropy - 0.05 < Trigram(train, 0, VOCABULARY).loss(test) < entropy + 0.25


@pytest.mark.parametrize("history", [(0, 0), (1, 2), (3, 3), (2, 0), (6, 5)])
def test_what_may_follow_has_the_probabilities_that_the_loss_is_of(history):
    model = Trigram(stream(300), 0, VOCABULARY)
    following = model.following(*history)
    expected = [probability(model, *history, token) for token in range(VOCABULARY)]
    assert following == pytest.approx(expected, rel=1e-9)


def test_surprisals_add_up_to_the_loss():
    model, ids = Trigram(stream(300), 0, VOCABULARY), stream(50, seed=1)
    assert len(model.surprisal(ids)) == len(ids) - 1
    assert model.surprisal(ids).mean() == pytest.approx(model.loss(ids))
