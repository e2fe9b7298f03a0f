"""Tables and pages of a stage's results."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.results import cost_rows, markdown_table, number, page, rows
from voltx_core.stages.spending import Account, Machine

REPORT = {
    "number": "2.1",
    "title": "Soft core",
    "metrics": {"pass@1": 0.5, "ece": 0.2, "unseen": None, "steps": 450},
    "targets": [
        {
            "metric": "pass@1",
            "title": "solved",
            "comparison": ">=",
            "value": 0.4,
            "measured": 0.5,
            "met": True,
        },
        {
            "metric": "ece",
            "title": "error",
            "comparison": "<",
            "value": 0.08,
            "measured": 0.2,
            "met": False,
        },
        {
            "metric": "unseen",
            "title": "unseen",
            "comparison": ">",
            "value": 0.1,
            "measured": None,
            "met": None,
        },
    ],
    "notes": ["Java was not run: no JDK."],
    "tables": {"Ablations": [{"frame": "true", "pass@1": 0.9}, {"frame": "zero", "pass@1": 0.0}]},
    "timings_s": {"stage.run": 12.5},
}


def test_targets_come_first_each_beside_its_measurement() -> None:
    table = rows(REPORT)
    assert table[0] == {
        "metric": "pass@1",
        "promised": "solved >= 0.4",
        "measured": "0.5",
        "verdict": "met",
    }
    assert [row["verdict"] for row in table] == ["met", "missed", "not measured", ""]
    assert table[-1]["metric"] == "steps"


def test_the_page_shows_notes_tables_and_pictures() -> None:
    text = page(REPORT, {"loss": b"\x89PNG"})
    assert "- Java was not run: no JDK." in text
    assert "| frame | pass@1 |" in text
    assert "![loss](data:image/png;base64,iVBORw==)" in text


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.none() | st.floats()}), min_size=1))
def test_whatever_is_in_a_cell_the_table_keeps_its_shape(table: list[dict[str, object]]) -> None:
    lines = markdown_table(table).split("\n")
    assert len(lines) == len(table) + 2
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)


def test_what_was_not_measured_is_a_dash() -> None:
    assert number(None) == "–"


def test_the_cost_of_a_run_has_a_row_a_machine() -> None:
    machine = Machine(host="a", kind="gpu", usd_per_hour=2.5, there_s=7200, busy_s=3600)
    assert cost_rows(Account((machine,))) == [
        {
            "machine": "a",
            "kind": "gpu",
            "an hour": "$2.50",
            "there": "2 h 00 min",
            "idle": "1 h 00 min",
            "paid": "$5.00",
        }
    ]
