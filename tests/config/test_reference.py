from pathlib import Path

from voltx_core.config.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_reference_is_that_of_the_models():
    assert PAGE.read_text() == render(), (
        "run: python -m voltx_core.config.reference > docs/configuration.md"
    )


def test_a_preset_says_where_it_differs():
    (row,) = [line for line in render().splitlines() if line.startswith("| `soft_core.steps`")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] not in cells[3:6]
    assert "·" not in cells[4]
