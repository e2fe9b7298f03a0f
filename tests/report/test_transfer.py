"""The transfer table: every language once a suite, and what was not trained says so."""

from types import SimpleNamespace

from voltx_core.report.transfer import transfer_table


def row(language: str, trained: str, passed: float, frame: str = "RAR loop") -> dict[str, object]:
    return {
        "suite": "heldout", "language": language, "trained": trained, "frame": frame,
        "tests ran": "inproc", "n": 24, "pass@1": passed, "low": 0.0, "high": 1.0,
    }  # fmt: skip


def card(*tables: list[dict[str, object]]) -> SimpleNamespace:
    stages = [SimpleNamespace(tables={f"table {n}": rows}) for n, rows in enumerate(tables)]
    return SimpleNamespace(stages=stages)


def test_each_language_is_one_line_with_python_on_its_own_tasks() -> None:
    java = [
        row("Java", "with the language", 0.25),
        row("Java", "with the language", 1.0, "true solution frame (upper bound)"),
        row("Java", "Python only", 0.0),
        row("Java", "the language alone", 0.125),
        row("Python", "Python only", 0.75),
    ]
    rust = [row("Rust", "with the language", 0.5), row("Python", "Python only", 0.625)]
    shown = transfer_table(card([{"role": "agent"}], java, rust))
    texts = [[cell.text for cell in line] for line in shown.rows]
    assert [line[0] for line in texts] == ["Java", "Rust"]
    assert texts[0][3:] == [
        "0.0 % (0.0 – 100.0 %)", "12.5 % (0.0 – 100.0 %)", "25.0 % (0.0 – 100.0 %)",
        "75.0 % (0.0 – 100.0 %)",
    ]  # fmt: skip
    assert texts[1][3:5] == ["not trained", "not trained"]
    assert texts[1][6].startswith("62.5 %")
    assert all(len(line) == len(shown.columns) for line in shown.rows)


def test_a_run_without_languages_has_no_table() -> None:
    assert transfer_table(card([{"suite": "heldout", "pass@1": 0.5}])).rows == ()
