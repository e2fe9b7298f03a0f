"""What is made of kills and digests; the kills themselves are real and belong to the bench."""

import pytest

from deployments.chaos import CORRUPT, Disturbed, _different, _digests, _figures, _line
from deployments.strikes import KINDS, Kill
from voltx_core.stages.lifecycle import execute

KILLS = [
    Kill("stage", 10.0, "translator", lost_s=3.0, restart_s=4.0),
    Kill("stage", 20.0, "e2e", lost_s=1.0, restart_s=2.0),
    Kill("machine", 30.0, "e2e", lost_s=5.0, restart_s=20.0),
    Kill("flow", 40.0, restart_s=3.0),
    Kill("server", 50.0),
]
EXPECTED = {"data": {"problems": "aa", "corpus": "bb"}}


def test_figures_have_a_restart_time_for_every_kind_that_came_back() -> None:
    faults = {"slow_down": 2, "cut_upload": 1}
    disturbed = Disturbed(KILLS, [EXPECTED], faults, requests=100, interval_s=2.0)

    figures = _figures(disturbed, EXPECTED, ["data/corpus"])

    assert figures == {
        "kills": 5,
        "artifacts": 2,
        "artifacts_different": 1,
        "max_lost_intervals": 2.5,
        "restart_s_stage": 3.0,
        "restart_s_worker": None,
        "restart_s_flow": 3.0,
        "restart_s_server": None,
        "restart_s_machine": 20.0,
        "store_faults": 3,
    }
    assert all(f"restart_s_{kind}" in figures for kind in KINDS)


def test_an_artifact_of_any_run_counts_when_it_differs() -> None:
    torn = {"data": {"problems": "aa", "corpus": "??"}}
    disturbed = Disturbed(KILLS, [torn, EXPECTED, {}], {}, requests=100, interval_s=2.0)

    assert _different(disturbed, EXPECTED) == [
        "data/corpus of run 1",
        "data/problems of run 3",
        "data/corpus of run 3",
    ]


def test_a_line_says_what_was_hit_what_it_cost_and_when_it_was_back() -> None:
    assert "machine (e2e): back after 20.0 s, 5.0 s of work lost" in _line(3, KILLS[2])
    assert "server: not needed again" in _line(5, KILLS[4])


@pytest.mark.usefixtures("orchard")
def test_artifacts_are_read_back_and_a_damaged_one_has_no_digest(workspace, tiny) -> None:
    finished = execute("seeds", tiny, workspace, run_id="run")
    sound = _digests(workspace)
    path = workspace.artifacts.fetch(finished.manifest, "seeds")
    path.write_text(path.read_text().replace("seed", "weed", 1))

    damaged = _digests(workspace)

    assert sound["seeds"]["seeds"] == finished.manifest.artifacts["seeds"].sha256
    assert damaged["seeds"]["seeds"] == CORRUPT
    assert damaged["seeds"]["pits"] == sound["seeds"]["pits"]
