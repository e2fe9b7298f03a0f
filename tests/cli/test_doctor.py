import json

import pytest

from voltx_core.cli import doctor as module
from voltx_core.cli.doctor import Check, doctor
from voltx_core.judge import Judge, Toolchain


@pytest.fixture(autouse=True)
def quick_toolchains(monkeypatch):
    """Compilers take seconds to prove; the judge's own tests do that."""
    real = Judge.toolchain

    def toolchain(self, language):
        if language == "python":
            return real(self, language)
        return Toolchain(language=language, available=False, version="", why="not looked for")

    monkeypatch.setattr(Judge, "toolchain", toolchain)


def checks(result):
    return {check["name"]: check for check in json.loads(result.stdout)}


def test_a_working_machine_passes(invoke, workspace):
    result = invoke(doctor, "--json")
    found = checks(result)
    assert result.exit_code == 0, result.output
    for name in ("Python", "Packages", "Store", "Judges Python", "Server"):
        assert found[name]["state"] == "ok", found[name]
    assert workspace.url in found["Store"]["found"]
    assert "torch" in found["Packages"]["found"]


def test_what_lacks_comes_with_a_remedy(invoke):
    found = checks(invoke(doctor, "--json"))
    assert found["Judges Go"]["state"] == "warning"
    assert "apt-get install golang-go" in found["Judges Go"]["remedy"]
    assert all(check["remedy"] for check in found.values() if check["state"] != "ok")


def test_the_table_ends_with_what_to_do_next(invoke):
    result = invoke(doctor)
    assert "✓" in result.stdout
    assert "→ On Debian or Ubuntu: apt-get install rustc." in result.stdout
    assert "Next: voltx plan" in result.stdout


def test_a_store_that_cannot_be_written_fails_the_examination(invoke, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = invoke(doctor, "--store", str(tmp_path / "file"), "--json")
    assert result.exit_code == 1
    assert checks(result)["Store"]["state"] == "failed"


def test_a_data_directory_that_is_none_fails_the_examination(invoke, monkeypatch, tmp_path):
    monkeypatch.setenv("VOLTX_DATA_DIR", str(tmp_path / "nowhere"))
    result = invoke(doctor, "--json")
    assert result.exit_code == 1
    assert "is no folder" in checks(result)["Data"]["found"]


def test_the_contents_of_the_data_directory_are_listed(invoke, monkeypatch, tmp_path):
    (tmp_path / "data" / "humaneval").mkdir(parents=True)
    monkeypatch.setenv("VOLTX_DATA_DIR", str(tmp_path / "data"))
    assert "humaneval" in checks(invoke(doctor, "--json"))["Data"]["found"]


def test_a_server_that_does_not_answer_is_a_warning(invoke, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    result = invoke(doctor, "--json")
    assert result.exit_code == 0
    assert "does not answer" in checks(result)["Server"]["found"]


def test_a_check_that_breaks_does_not_stop_the_others(invoke, monkeypatch):
    def broken():
        raise RuntimeError("no such device")
        yield Check(name="", state="ok", found="")

    monkeypatch.setattr(module, "_device", broken)
    result = invoke(doctor, "--json")
    found = checks(result)
    assert result.exit_code == 1
    assert found["Device"]["found"] == "RuntimeError: no such device"
    assert found["Data"]["state"] == "ok"
