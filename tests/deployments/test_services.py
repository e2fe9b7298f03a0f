"""What is wanted and what runs, in the files of a home; the settings file of the project."""

import os
import socket
from pathlib import Path

from deployments import settings_file
from deployments.processes import Identity
from deployments.services import (
    PREFERRED_PORT,
    Running,
    Wanted,
    environment,
    free_port,
    home_folder,
    passed_on,
    store_url,
    write_json,
)


def wanted(folder: Path, **changes: object) -> Wanted:
    values = {
        "project": str(folder),
        "home": str(folder / ".voltx"),
        "store": "s3://bucket/prefix",
        "api_url": "http://127.0.0.1:4321/api",
        "port": 4321,
        "pools": ("control", "voltx-cpu"),
        "settings": {"VOLTX_DATA_DIR": "/data"},
    }
    return Wanted(**{**values, **changes})  # type: ignore[arg-type]


def test_what_is_wanted_is_read_back(tmp_path: Path) -> None:
    made = wanted(tmp_path)
    made.save()
    assert Wanted.load(Path(made.home)) == made
    assert Running.load(Path(made.home)) is None


def test_workers_get_everything_explicitly(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = environment(wanted(tmp_path))
    assert env["VOLTX_STORE"] == "s3://bucket/prefix"
    assert env["VOLTX_HOME"] == str(tmp_path / ".voltx")
    assert env["VOLTX_DATA_DIR"] == "/data"
    assert env["OMP_NUM_THREADS"] == "1"
    assert env["OMP_WAIT_POLICY"] == "PASSIVE"
    assert env["AWS_ACCESS_KEY_ID"] == "key"
    assert env["PREFECT_LOGGING_EXTRA_LOGGERS"] == "voltx_core"
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert str(tmp_path) in env["PREFECT_API_DATABASE_CONNECTION_URL"]
    assert "PYTHONDONTWRITEBYTECODE" not in env


def test_the_database_of_somebody_elses_server_is_not_ours_to_name(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.delenv("PREFECT_API_DATABASE_CONNECTION_URL", raising=False)
    env = environment(wanted(tmp_path, port=None))
    assert "PREFECT_API_DATABASE_CONNECTION_URL" not in env


def test_folders_are_absolute_and_urls_stay(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_url({}) == str(tmp_path / "volt-store")
    assert store_url({"VOLTX_STORE": "s3://b/p"}) == "s3://b/p"
    assert home_folder({}) == tmp_path / ".voltx"
    assert passed_on({"VOLTX_DATA_DIR": "/d", "HOME": "/root"}) == {"VOLTX_DATA_DIR": "/d"}


def test_another_port_is_taken_when_the_usual_one_is_not_free() -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", PREFERRED_PORT))
            holder.listen(1)
        except OSError:
            pass  # somebody has it already, which serves as well
        port = free_port()
    assert port != PREFERRED_PORT
    assert port > 0


def test_the_settings_file_comes_and_goes(tmp_path: Path) -> None:
    home = tmp_path / ".voltx"
    assert settings_file.write(tmp_path, "http://127.0.0.1:4321/api", home)
    assert 'url = "http://127.0.0.1:4321/api"' in (tmp_path / "prefect.toml").read_text()
    assert settings_file.write(tmp_path, "http://127.0.0.1:5/api", home)
    assert settings_file.remove(tmp_path, home)
    assert not (tmp_path / "prefect.toml").exists()
    assert not settings_file.remove(tmp_path, home)


def test_the_settings_file_of_other_services_in_the_folder_stays_while_they_are_up(
    tmp_path: Path,
) -> None:
    url, server, worker = "http://127.0.0.1:4321/api", tmp_path / ".voltx", tmp_path / "worker"
    wanted(tmp_path).save()
    me = Identity.of(os.getpid())
    assert me is not None
    up = {"supervisor": me.record(), "services": {}, "early_ends": {}}
    write_json(server / "up.json", up)

    assert settings_file.write(tmp_path, url, server)
    assert settings_file.write(tmp_path, url, worker)
    assert not settings_file.remove(tmp_path, worker)
    assert url in (tmp_path / "prefect.toml").read_text()
    assert not settings_file.write(tmp_path, "http://127.0.0.1:5/api", worker)

    (server / "up.json").unlink()  # it was killed
    assert settings_file.write(tmp_path, url, worker)
    assert settings_file.remove(tmp_path, worker)


def test_a_settings_file_of_the_user_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "prefect.toml"
    own.write_text('[api]\nurl = "https://mine"\n')
    assert not settings_file.write(tmp_path, "http://127.0.0.1:4321/api", tmp_path / ".voltx")
    assert not settings_file.remove(tmp_path, tmp_path / ".voltx")
    assert "https://mine" in own.read_text()
