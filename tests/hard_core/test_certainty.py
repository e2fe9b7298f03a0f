import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.errors import DataError
from voltx_core.evaluation.calibration import calibrate
from voltx_core.frame import TensorFrame
from voltx_core.hard_core.certainty import FEATURES, Certainty, features, python_valid
from voltx_core.hard_core.codebook import Codebook
from voltx_core.soft_core.rar import Trajectory
from voltx_core.translator.translator import Written

F = len(FEATURES)


def points(count: int, seed: int = 0, bias: float = 0.0, signal: float = 2.0):
    """Outcomes drawn from a known logistic law of the first feature; two points a problem."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, F)) * 3 + 1
    p = 1 / (1 + np.exp(-(signal * (values[:, 0] - 1) / 3 + bias)))
    return values, rng.random(count) < p, np.arange(count) // 2


def test_certainty_learns_a_logistic_law_and_is_calibrated_on_new_points():
    model = Certainty.fit(*points(3000), isotonic_minimum=500)
    values, passed, _ = points(3000, seed=1)
    found = calibrate(model.gamma(values), passed)
    assert found.ece < 0.05
    assert found.auroc > 0.8
    assert found.brier_skill > 0.25


def test_a_monotone_law_that_is_not_logistic_prefers_isotonic():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, F))
    p = np.where(values[:, 0] > 0.5, 0.95, np.where(values[:, 0] > -0.5, 0.5, 0.4))
    passed = rng.random(4000) < p
    model = Certainty.fit(values, passed, np.arange(4000), isotonic_minimum=500)
    assert model.method == "isotonic"
    assert model.log_losses["isotonic"] < model.log_losses["platt"]
    assert calibrate(model.gamma(values), passed).ece < 0.03


def test_few_points_are_never_calibrated_by_isotonic():
    model = Certainty.fit(*points(300), isotonic_minimum=500)
    assert model.method == "platt"
    assert set(model.log_losses) == {"platt"}


@pytest.mark.parametrize(("outcome", "expected"), [(False, 1 / 52), (True, 51 / 52)])
def test_outcomes_all_alike_give_the_rule_of_succession(outcome, expected):
    values, _, groups = points(50)
    model = Certainty.fit(values, [outcome] * 50, groups)
    assert model.method == "constant"
    assert model.gamma(values) == pytest.approx([expected] * 50)


def test_one_single_pass_is_too_little_to_tell_apart():
    values, _, groups = points(50)
    model = Certainty.fit(values, [n == 7 for n in range(50)], groups)
    assert model.method == "constant"
    assert model.gamma(values[:1])[0] == pytest.approx(2 / 52)


def test_a_feature_that_never_varies_does_no_harm():
    values, passed, groups = points(400)
    values[:, 3] = 7.0
    gamma = Certainty.fit(values, passed, groups).gamma(values)
    assert np.isfinite(gamma).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([60, 600]))
def test_a_saved_certainty_judges_exactly_as_before(tmp_path_factory, seed, count):
    values, passed, groups = points(count, seed=seed)
    model = Certainty.fit(values, passed, groups, isotonic_minimum=100)
    path = tmp_path_factory.mktemp("certainty") / "c.json"
    model.save(path)
    again = Certainty.load(path)
    assert again == model
    assert np.array_equal(again.gamma(values), model.gamma(values))
    gamma = model.gamma(values * 100)
    assert ((gamma >= 0) & (gamma <= 1)).all()


def test_platt_agrees_with_scikit_learn_on_plenty_of_points():
    from sklearn.linear_model import LogisticRegression

    values, passed, groups = points(4000, signal=1.0, bias=-1.0)
    model = Certainty.fit(values, passed, groups, isotonic_minimum=10**9)
    raw = model.raw(values)
    reference = LogisticRegression(C=1e10).fit(raw[:, None], passed)
    expected = reference.predict_proba(raw[:, None])[:, 1]
    assert model.gamma(values) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"format": "other"}, "not voltx-certainty"),
        ({"features": ["luck"]}, "fitted on luck"),
        ({"scale": [0.0] * F}, "not positive"),
        ({"bias": "x"}, "must be real number"),
        ({"weights": [1.0]}, "do not match"),
        ({"method": "magic"}, "'magic' is unknown"),
        ({"method": "isotonic", "x": [0, 1], "y": [1, 0]}, "do not rise"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, change, cause):
    path = tmp_path / "certainty.json"
    Certainty.fit(*points(100)).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=cause) as refusal:
        Certainty.load(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "certainty.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"certainty\.json"):
        Certainty.load(path)


def test_features_are_what_their_names_say():
    slots = torch.zeros(2, 16, 3)
    slots[0, 0] = torch.tensor([1.0, 0, 0])
    slots[0, 1] = torch.tensor([0.6, 0.8, 0])
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, :2] = True
    trajectory = Trajectory(
        frame=TensorFrame.of(slots, mask),
        iterations=torch.tensor([5, 10]),
        converged=torch.tensor([True, False]),
        converged_share=torch.tensor([1.0, 0.25]),
        speed=torch.tensor([0.01, 0.5]),
        drift=torch.tensor([0.2, 0.4]),
    )
    written = [
        Written("def f():\n    return 1", [5, 6, 3], -0.9, -0.3),
        Written("def f(:", [5], -math.inf, -math.inf),
    ]
    rows = features(trajectory, written, Codebook(torch.eye(3)), budget=20)
    first = dict(zip(FEATURES, rows[0], strict=True))
    assert first == pytest.approx(
        {
            "converged_share": 1,
            "final_speed": 0.01,
            "iterations_share": 0.25,
            "drift_norm": 0.2,
            "codebook_cosine": 0.9,
            "mean_log_probability": -0.3,
            "log_probability": -0.9,
            "syntax_valid": 1,
        }
    )
    second = dict(zip(FEATURES, rows[1], strict=True))
    assert second["codebook_cosine"] == 0
    assert second["syntax_valid"] == 0
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("x = 1", True),
        ("", False),
        ("# nothing", False),
        ("def f(:", False),
        ("a\0b", False),
        ("(" * 5000, False),
        ("-" * 100_000 + "1", False),
    ],
)
def test_syntax_is_judged_without_running_anything(text, valid):
    assert python_valid(text) is valid
