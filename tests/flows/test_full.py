"""The graph of flows/full.py against what the stages say they need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows import full, vincigpt
from tasks import dispatch
from tasks.run import Run
from voltx_core.errors import ConfigError
from voltx_core.stages import graph


class Recorder:
    """Stands in for the dispatcher task: records who was submitted and who waits for whom."""

    def __init__(self) -> None:
        self.waits: dict[str, tuple[str, ...]] = {}
        self.titles: dict[str, str] = {}
        self.concluded: set[str] = set()

    def with_options(self, *, task_run_name: str) -> "Recorder":
        self._title = task_run_name
        return self

    def submit(self, _: Run, name: str, *, wait_for: tuple[str, ...]) -> str:
        assert name not in self.waits
        self.waits[name] = tuple(wait_for)
        self.titles[name] = self._title
        return name

    def before(self, name: str) -> set[str]:
        """Every stage that has finished when this one starts."""
        direct = self.waits[name]
        return set(direct).union(*(self.before(other) for other in direct))


@contextmanager
def recorded(flow: Any, module: Any, stages: tuple[str, ...]) -> Iterator[Recorder]:
    recorder = Recorder()
    run = Run("id", "root", "2026-01-01T00:00:00+00:00", "tiny", {}, stages)

    @contextmanager
    def begin(*_: Any) -> Iterator[Run]:
        yield run

    def conclude(_: Run, *waits: Any) -> None:
        recorder.concluded = {name for group in waits for name in group}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "dispatch", recorder)
        patch.setattr(module, "begin", begin)
        patch.setattr(module, "conclude", conclude)
        flow.fn()
        yield recorder


def test_every_stage_is_submitted_once_and_concluded() -> None:
    with recorded(full.voltx, full, graph.select()) as seen:
        assert set(seen.waits) == set(graph.select())
        assert seen.concluded == set(graph.select())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.sampled_from(graph.select()), min_size=1))
def test_whatever_is_selected_a_stage_starts_after_all_it_needs(wanted: set[str]) -> None:
    stages = graph.select(wanted)
    with recorded(full.voltx, full, stages) as seen:
        assert set(seen.waits) == set(stages)
        for name in stages:
            assert set(graph.parents(name)) <= seen.before(name), name


@pytest.mark.parametrize(
    "together",
    [
        ("codebook", "soft_core"),
        ("router", "certainty", "safety"),
        ("javascript", "java", "rust_go"),
        ("baseline", "router", "e2e", "rlvf", "sleep", "scaling", "java"),
    ],
)
def test_stages_that_do_not_need_each_other_overlap(together: tuple[str, ...]) -> None:
    with recorded(full.voltx, full, graph.select()) as seen:
        first = together[0]
        for other in together[1:]:
            assert first not in seen.before(other)
            assert other not in seen.before(first)


def test_nodes_are_called_as_in_the_diagram() -> None:
    with recorded(full.voltx, full, graph.select()) as seen:
        assert seen.titles["soft_core"] == "2 · soft core"
        assert seen.titles["codebook"] == "0.3 · codebook"
        assert len(set(seen.titles.values())) == len(graph.select())


def test_vincigpt_visits_its_own_two_stages_one_after_the_other() -> None:
    with recorded(vincigpt.vincigpt, vincigpt, graph.select(["vincigpt"])) as seen:
        assert set(seen.waits) == seen.concluded == set(graph.ASIDE)
        assert seen.waits["vincigpt"] == ("vincigpt_corpus",)


def test_the_graph_of_volt_x_does_not_visit_what_stands_aside() -> None:
    assert not set(graph.select()) & set(graph.ASIDE)


@pytest.mark.parametrize("asked", [{"only": ["vincigpt"]}, {"until": "8.2"}, {"force": ["8.1"]}])
def test_the_graph_of_volt_x_refuses_what_stands_aside(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="voltx vincigpt train"):
        full.voltx.fn("tiny", **asked)


def test_the_baseline_alone_visits_what_decides_its_budget_and_no_more() -> None:
    stages = graph.select(["baseline"])
    with recorded(vincigpt.vincigpt, vincigpt, stages) as seen:
        assert set(seen.waits) == set(stages)
        assert set(graph.parents("baseline")) <= seen.before("baseline")


def test_parameters_describe_themselves_in_the_form() -> None:
    properties = full.voltx.parameters.properties
    assert set(properties) == {"preset", "overrides", "only", "until", "force", "rehearse_s"}
    assert all(field.get("description") for field in properties.values())
    assert properties["preset"]["enum"] == ["tiny", "laptop", "single-gpu", "cloud"]
