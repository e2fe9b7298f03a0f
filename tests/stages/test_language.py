"""What decides which languages a machine can examine."""

import pytest

from voltx_core.config import resolve
from voltx_core.judge import languages
from voltx_core.judge.languages import Command, Recipe
from voltx_core.stages import java
from voltx_core.stages.fingerprint import external


def test_a_toolchain_that_comes_later_makes_the_stage_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = resolve("tiny")
    monkeypatch.setattr(languages, "find", lambda _: "no javac on PATH")
    without = external(java.SPEC, config)
    recipe = Recipe(
        language="java",
        version="17.0.1",
        source="Main.java",
        compile=None,
        run=Command(("/usr/bin/java",)),
        readable=(),
    )
    monkeypatch.setattr(languages, "find", lambda _: recipe)
    assert without == {"toolchain java": "absent"}
    assert external(java.SPEC, config) == {"toolchain java": "17.0.1"}
