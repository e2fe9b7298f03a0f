"""Whose artifacts a command takes when nobody says."""

import pytest

from voltx_core.errors import StageError
from voltx_core.stages import lineage
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.runs import RunRecord, history

pytestmark = pytest.mark.usefixtures("orchard")


def test_the_newest_run_that_has_made_it_is_taken_and_not_one_under_way(workspace, tiny):
    for run_id in ("r1", "r2", "r3"):
        RunRecord(workspace.artifacts, run_id).start(tiny, ("seeds", "press"))
        for name in {"r1": ("seeds", "press"), "r2": ("seeds",), "r3": ()}[run_id]:
            execute(name, tiny, workspace, run_id=run_id)
    assert history(workspace.artifacts) == ["r3", "r2", "r1"]
    assert lineage.newest_with(["juice"], workspace) == "r1"
    assert lineage.newest_with(["seeds"], workspace) == "r2"
    with pytest.raises(StageError, match="r3 has no result yet"):
        lineage.fetch("r3", ["seeds"], workspace)


def test_nothing_made_is_nothing_found(workspace):
    assert history(workspace.artifacts) == []
    assert lineage.newest_with(["juice"], workspace) is None
