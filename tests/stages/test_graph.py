"""The real graph: what every stage module must keep to."""

import subprocess
import sys

import pytest

from voltx_core.config import VoltxConfig, lookup
from voltx_core.errors import ConfigError
from voltx_core.stages import graph
from voltx_core.stages.fingerprint import settings
from voltx_core.store.keys import check_key


def test_every_stage_is_called_what_its_module_is_called():
    assert [spec.name for spec in graph.specs().values()] == list(graph.MODULES)


def test_numbers_are_unique():
    numbers = [spec.number for spec in graph.specs().values()]
    assert len(set(numbers)) == len(numbers)


def test_every_artifact_has_one_maker():
    made = [artifact.name for spec in graph.specs().values() for artifact in spec.makes]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("asked", ["vincigpt", "8.2", "8.1"])
def test_what_stands_aside_is_refused_with_the_command_that_makes_it(asked):
    with pytest.raises(ConfigError, match=r"8\.\d vincigpt.*voltx vincigpt train"):
        graph.refuse_aside(["soft_core", asked])
    graph.refuse_aside(["soft_core", "5.3"])


def test_every_stage_has_a_command_that_makes_it():
    assert graph.command("soft_core") == "voltx run --until soft_core"
    assert graph.command("vincigpt") == "voltx vincigpt train"


@pytest.mark.parametrize("name", graph.MODULES)
def test_what_a_stage_needs_is_made_by_an_earlier_one(name):
    earlier = graph.MODULES[: graph.MODULES.index(name)]
    for artifact in graph.specs()[name].needs:
        assert graph.makers()[artifact] in earlier


@pytest.mark.parametrize("name", graph.MODULES)
def test_what_a_stage_reads_exists_and_can_be_hashed(name):
    spec, config = graph.specs()[name], VoltxConfig()
    for path in spec.reads:
        lookup(config, path)
    assert settings(spec, config)["seed"] == 0


@pytest.mark.parametrize("name", graph.MODULES)
def test_artifacts_have_paths_that_a_store_takes(name):
    for artifact in graph.specs()[name].makes:
        assert check_key(artifact.path) == artifact.path


@pytest.mark.parametrize("name", graph.MODULES)
def test_a_target_is_a_sentence_about_a_metric(name):
    for target in graph.specs()[name].targets:
        assert target.title
        assert target.metric
        assert target.judge({target.metric: None}).met is None


def test_listing_the_graph_imports_no_framework():
    code = (
        "import sys; from voltx_core.stages import graph; graph.specs(); "
        "heavy = {'torch', 'prefect', 'sklearn', 'faiss', 'boto3', 'matplotlib'} & set(sys.modules)"
        "; sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
