"""Requests that bringing services up refuses before anything is started."""

import os
from pathlib import Path

import pytest

from deployments.local import bring_up
from deployments.pools import pools, served
from deployments.processes import Identity
from deployments.services import Wanted, write_json
from voltx_core.errors import ConfigError


def quiet(_: str) -> None:
    pass


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"VOLTX_HOME": str(home), "VOLTX_STORE": str(home / "store"), **more}


def test_the_machine_of_the_graph_leaves_the_stages_of_several_machines_to_others() -> None:
    assert served("one") == pools("one") == ("control", "voltx-cpu")
    assert served("several") == ("control",)
    assert set(pools("several")) == {"control", "voltx-cpu", "voltx-gpu", "voltx-multi-gpu"}


def test_a_machine_joins_only_a_server_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="voltx-gpu needs a server to work for"):
        bring_up(quiet, serve=("voltx-gpu",), environ=environ(tmp_path))


def test_a_server_that_does_not_answer_is_not_joined(tmp_path: Path) -> None:
    nowhere = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    with pytest.raises(ConfigError, match="no Prefect server answers"):
        bring_up(quiet, serve=("voltx-gpu",), environ=environ(tmp_path, **nowhere))


def test_the_address_to_listen_on_must_be_one_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No server can listen on 203\.0\.113\.1"):
        bring_up(quiet, listen="203.0.113.1", environ=environ(tmp_path))


def test_what_is_up_for_other_pools_or_on_another_address_stays_as_it_is(tmp_path: Path) -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    Wanted(
        project=str(tmp_path),
        home=str(tmp_path),
        store=str(tmp_path / "store"),
        api_url="http://127.0.0.1:1/api",
        port=1,
        pools=("control", "voltx-cpu"),
    ).save()
    write_json(tmp_path / "up.json", {"supervisor": me.record(), "services": {}, "early_ends": {}})

    with pytest.raises(ConfigError, match=r"pools are control, theirs control, voltx-cpu"):
        bring_up(quiet, serve=("control",), environ=environ(tmp_path))
    with pytest.raises(ConfigError, match=r"shall listen on 0\.0\.0\.0, theirs does on 127"):
        bring_up(quiet, listen="0.0.0.0", environ=environ(tmp_path))
