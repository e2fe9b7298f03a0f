from pathlib import Path

from voltx_core.cli.main import COMMANDS
from voltx_core.cli.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_reference_is_that_of_the_commands():
    assert PAGE.read_text() == render(), (
        "run: python -m voltx_core.cli.reference > docs/commands.md"
    )


def test_every_command_is_in_it_with_its_examples_as_one_block():
    text = render()
    assert all(f"## `voltx {name}`" in text for name in COMMANDS)
    assert "```\nvoltx generate" in text
    assert "[b]" not in text
