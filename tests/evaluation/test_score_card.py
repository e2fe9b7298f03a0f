"""pass@k of results: what ran counts, what did not run is named, and no k is made up."""

from math import comb

import pytest

from voltx_core.errors import ConfigError
from voltx_core.evaluation.score_card import choose_k, score
from voltx_core.evaluation.scoring import Result


def result(task: str, sample: int, outcome: str, detail: str = "") -> Result:
    return Result(
        task_id=task,
        sample=sample,
        text="d",
        outcome=outcome,
        tests_passed=0,
        tests_total=1,
        assurance="split",
        detail=detail,
    )


def test_pass_at_k_is_the_mean_of_the_unbiased_estimates() -> None:
    results = [result("a", n, "passed" if n < 2 else "failed") for n in range(5)]
    results += [result("b", n, "timeout") for n in range(5)]
    card = score(results, (1, 3))
    assert card.scores[1].mean == pytest.approx((2 / 5 + 0) / 2)
    assert card.scores[3].mean == pytest.approx((1 - comb(3, 3) / comb(5, 3)) / 2)
    assert card.scores[1].low <= card.scores[1].mean <= card.scores[1].high


def test_a_task_that_did_not_run_counts_nowhere_and_is_named() -> None:
    results = [result("a", 0, "passed"), result("b", 0, "not_run", "no go on PATH")]
    found = score(results, (1,)).as_json()
    assert found["pass_at_k"]["1"]["mean"] == 1.0
    assert found["pass_at_k"]["1"]["n"] == 1
    assert found["tasks_not_run"] == {"b": "no go on PATH"}


def test_when_nothing_ran_the_score_is_null_and_says_why() -> None:
    found = score([result("b", 0, "not_run", "no go")], (1,)).as_json()
    assert found["pass_at_k"] == {"1": None}
    assert found["why_not"] == {"1": "no task ran"}


def test_a_k_beyond_the_fewest_samples_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="pass@3 cannot be estimated: task 'b' has 2 samples"):
        choose_k((1, 3), {"a": 5, "b": 2})
    with pytest.raises(ConfigError, match="at least one attempt"):
        choose_k((0,), {"a": 5})


def test_without_a_wish_the_usual_ks_that_are_possible_are_reported() -> None:
    assert choose_k((), {"a": 200, "b": 10}) == (1, 10)
    assert choose_k((), {"a": 1}) == (1,)
    assert choose_k((5, 1, 5), {"a": 9}) == (1, 5)
