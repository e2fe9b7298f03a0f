"""The compact index finds what comparing every pair of signatures finds."""

import numpy as np
import pytest

from voltx_core.data import resemblance
from voltx_core.data.resemblance import ResemblanceIndex


def signatures(count: int, permutations: int = 64, seed: int = 0) -> np.ndarray:
    """Random signatures of which every third repeats an earlier one with a few numbers changed."""
    draw = np.random.default_rng(seed)
    found = draw.integers(0, 1 << 32, (count, permutations), dtype=np.uint32)
    for row in range(2, count, 3):
        found[row] = found[row - 2]
        changed = draw.choice(permutations, draw.integers(0, 5), replace=False)
        found[row, changed] = draw.integers(0, 1 << 32, len(changed), dtype=np.uint32)
    return found


@pytest.mark.parametrize("recent", [4, 1 << 15])
def test_near_repeats_are_found_before_and_after_they_moved_into_the_arrays(monkeypatch, recent):
    monkeypatch.setattr(resemblance, "RECENT", recent)
    monkeypatch.setattr(resemblance, "PAGE", 8)
    index, rows = ResemblanceIndex(0.8, 64), signatures(300)
    added: list[np.ndarray] = []
    missed = 0
    for row in rows:
        alike = [n for n, other in enumerate(added) if float((other == row).mean()) >= 0.8]
        found = index.find(row)
        missed += bool(alike) and found is None
        if found is not None:
            assert found in alike
            continue
        assert index.add(row) == len(added)
        added.append(row)
    assert len(index) == len(added)
    assert missed <= 3  # bands are a gamble: of repeats above nine tenths few are missed


def test_the_earliest_of_several_is_named():
    index, row = ResemblanceIndex(0.5, 64), signatures(1)[0]
    index.add(row)
    index.add(row)
    assert index.find(row) == 0


def test_a_file_costs_a_few_hundred_bytes():
    assert ResemblanceIndex(0.8, 64).bytes_a_file < 400
