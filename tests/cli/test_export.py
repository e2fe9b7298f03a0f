import json
import os

import pytest

from voltx_core.cli.export import export
from voltx_core.cli.generate import generate
from voltx_core.generation import ARTIFACTS
from voltx_core.release.model_folder import LEFT_OUT, LIST, open_model
from voltx_core.store import open_store


@pytest.mark.usefixtures("trained")
def test_an_exported_model_answers_as_the_stored_one_does_and_needs_no_store(
    invoke, tmp_path, monkeypatch
):
    done = invoke(export, "model")
    assert done.exit_code == 0, done.output
    assert "encoder, translator" in done.stdout
    question = ("return the squares", "-n", "2", "--json")
    stored = invoke(generate, *question)
    monkeypatch.setenv("VOLTX_STORE", str(tmp_path / "nowhere"))
    exported = invoke(generate, *question, "--model", "model")
    assert exported.exit_code == 0, exported.output
    answers, known = (json.loads(done.stdout)["answers"] for done in (exported, stored))
    assert [a["code"] for a in answers] == [a["code"] for a in known]
    for one, other in zip(answers, known, strict=True):
        near = [[(e["role"], e["entry"]) for e in a["nearest"]] for a in (one, other)]
        assert near[0] == near[1]
    assert [a["gamma"] for a in answers] == pytest.approx([a["gamma"] for a in known], abs=1e-6)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("trained")
def test_the_folder_has_every_part_a_card_and_a_report(invoke, tmp_path):
    invoke(export, "model")
    assert set(open_model(tmp_path / "model")) == set(ARTIFACTS) - LEFT_OUT
    card = (tmp_path / "model" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: voltx")
    assert "pass@1 was not measured in this run" in card
    assert json.loads((tmp_path / "model" / "report.json").read_text())["run"] == "trained"


@pytest.mark.usefixtures("trained")
def test_a_folder_that_holds_something_is_left_alone(invoke, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    done = invoke(export, "mine")
    assert done.exit_code == 1
    assert "is not empty: name an empty or a new folder" in done.output
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_model_is_refused_by_the_name_of_the_file(invoke, tmp_path, damage):
    invoke(export, "model")
    listed = json.loads((tmp_path / "model" / LIST).read_text())
    name = listed["artifacts"]["encoder"]["path"]
    path = tmp_path / "model" / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = invoke(generate, "return the sum", "--model", "model")
    assert done.exit_code == 1
    assert f"model/{name} is {'missing' if damage == 'missing' else 'damaged'}" in done.output


@pytest.mark.usefixtures("trained")
def test_a_store_can_take_a_model_too(invoke, tmp_path):
    url = f"file://{tmp_path / 'bucket'}"
    done = invoke(export, url)
    assert done.exit_code == 0, done.output
    listed = json.loads(open_store(url).get_bytes(LIST))
    assert set(ARTIFACTS) - LEFT_OUT == set(listed["artifacts"])
    again = invoke(export, url)
    assert again.exit_code == 1
    assert "is not empty: name a new prefix" in again.output


@pytest.mark.usefixtures("trained")
def test_nothing_of_its_owner_leaves_with_a_model(invoke, workspace, tmp_path):
    invoke(export, "model")
    texts = [p.read_text() for p in (tmp_path / "model").iterdir() if p.suffix in (".md", ".json")]
    private = (workspace.url, str(workspace.home), os.uname().nodename, os.uname().release)
    assert [word for word in private if any(word in text for text in texts)] == []


@pytest.mark.usefixtures("trained")
def test_the_same_model_is_verified_and_not_written_again(invoke, tmp_path):
    invoke(export, "model")
    before = (tmp_path / "model" / LIST).stat().st_mtime_ns
    again = invoke(export, "model")
    assert again.exit_code == 0, again.output
    assert "already, intact" in again.output
    assert (tmp_path / "model" / LIST).stat().st_mtime_ns == before


@pytest.mark.usefixtures("trained")
def test_a_card_that_was_edited_and_a_model_of_links_are_no_damage(invoke, tmp_path):
    invoke(export, "model")
    (tmp_path / "model" / "README.md").write_text("# My own words")
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in (tmp_path / "model").iterdir():  # as the cache of the hub has it
        (snapshot / path.name).symlink_to(path)
    assert invoke(generate, "return the sum", "--model", str(snapshot)).exit_code == 0


@pytest.mark.usefixtures("trained")
def test_a_list_that_names_files_elsewhere_is_refused(invoke, tmp_path):
    invoke(export, "model")
    path = tmp_path / "model" / LIST
    listed = json.loads(path.read_text())
    listed["artifacts"]["encoder"]["path"] = "../encoder.safetensors"
    path.write_text(json.dumps(listed))
    done = invoke(generate, "return the sum", "--model", "model")
    assert done.exit_code == 1
    assert "cannot be read" in done.output


def test_without_a_model_it_says_how_to_get_one(invoke):
    done = invoke(export, "model")
    assert done.exit_code == 1
    assert "Train one: voltx run --watch" in done.output


def test_a_folder_without_a_model_says_how_to_make_one(invoke, tmp_path):
    done = invoke(generate, "return the sum", "--model", str(tmp_path))
    assert done.exit_code == 1
    assert "holds no exported model" in done.output


def test_a_model_and_a_run_are_not_both_named(invoke):
    done = invoke(generate, "return the sum", "--model", "x", "--run", "y")
    assert done.exit_code == 2
    assert "leave --run and --store out" in done.output
