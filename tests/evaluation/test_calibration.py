import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.evaluation.calibration import auroc, calibrate, draw_reliability, reliability

POINTS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_perfect_certainty_has_no_error_and_full_discrimination():
    found = calibrate([0.0, 0.0, 1.0, 1.0], [False, False, True, True])
    assert (found.ece, found.brier, found.auroc, found.brier_skill) == (0, 0, 1, 1)


def test_the_error_of_one_bin_is_the_gap_of_its_means():
    # certainty .8, half of it true
    found = calibrate([0.8] * 4, [True, False, True, False])
    assert found.ece == pytest.approx(0.3)
    assert found.brier == pytest.approx((0.04 + 0.64) / 2)
    assert found.auroc == pytest.approx(0.5)
    assert found.brier_skill == pytest.approx(1 - 0.34 / 0.25)


def test_bins_weigh_by_their_points():
    # 3 points at .1 of which none came true, 1 point at .9 that did not
    found = calibrate([0.15, 0.15, 0.15, 0.95], [False, False, False, False])
    assert found.ece == pytest.approx((3 * 0.15 + 0.95) / 4)


def test_gaps_of_opposite_sign_within_a_bin_cancel():
    found = calibrate([0.5, 0.58], [True, False])
    assert found.ece == pytest.approx(abs(0.54 - 0.5))


def test_edges_belong_to_the_upper_bin_and_one_to_the_last():
    table = reliability([0.0, 0.1, 0.3, 0.7, 1.0], [0, 0, 0, 0, 1])
    assert [b.count for b in table] == [1, 1, 0, 1, 0, 0, 0, 1, 0, 1]


@pytest.mark.parametrize("outcome", [True, False])
def test_without_contrast_discrimination_is_not_defined(outcome):
    found = calibrate([0.2, 0.4, 0.9], [outcome] * 3)
    assert found.auroc is None
    assert found.brier_skill is None
    assert found.pass_rate == float(outcome)


@given(POINTS)
def test_auroc_is_the_share_of_pairs_in_the_right_order(points):
    p, y = zip(*points, strict=True)
    good = [a for a, b in points if b]
    bad = [a for a, b in points if not b]
    found = auroc(p, y)
    if not good or not bad:
        assert found is None
    else:
        wins = sum((a > b) + 0.5 * (a == b) for a in good for b in bad)
        assert found == pytest.approx(wins / (len(good) * len(bad)), abs=1e-9)


@given(POINTS)
def test_figures_stay_in_their_ranges_and_every_point_is_counted(points):
    p, y = zip(*points, strict=True)
    found = calibrate(p, y)
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 1
    assert sum(b.count for b in found.bins) == found.points == len(points)


@pytest.mark.parametrize(
    ("p", "y"), [([], []), ([0.5], [True, False]), ([1.5], [True]), ([float("nan")], [True])]
)
def test_malformed_predictions_are_refused(p, y):
    with pytest.raises(ValueError):
        calibrate(p, y)


def test_the_diagram_is_a_picture(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.random(200)
    draw_reliability(calibrate(p, rng.random(200) < p), tmp_path / "r.png", title="Certainty")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
