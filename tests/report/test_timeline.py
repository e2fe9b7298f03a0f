"""The timeline of a run as text: machines, attempts, and what became of each."""

from voltx_core.report.timeline import attempts, render

TITLES = {"data": ("1.0", "Data"), "translator": ("1.1", "Translator"), "codebook": ("0.3", "Code")}


def at(second):
    return f"2026-01-01T12:00:{second:02d}.000+00:00"


RUN = {
    "records": {
        "data": {
            "state": "committed",
            "host": "worker-a",
            "started_at": at(0),
            "finished_at": at(10),
        },
        "translator": {
            "state": "committed",
            "host": "worker-b",
            "started_at": at(30),
            "finished_at": at(50),
            "earlier": [
                {"state": "retrying", "host": "worker-a", "started_at": at(10), "alive_at": at(20)}
            ],
        },
        "codebook": {"state": "reused", "started_at": at(50), "finished_at": at(50)},
    }
}


def test_every_attempt_has_its_machine_and_a_lost_one_says_so():
    found = attempts(RUN, TITLES)
    assert [(a.number, a.count, a.host, a.state) for a in found] == [
        ("1.0", 1, "worker-a", "committed"),
        ("1.1", 1, "worker-a", "lost"),
        ("1.1", 2, "worker-b", "committed"),
    ]


def test_the_drawing_shows_when_and_where():
    lines = render(RUN, TITLES).splitlines()
    data, lost, again = lines[1:4]
    assert data.startswith("worker-a  1.0 Data")
    assert "0.0     10.0" in data
    assert data.count("█") == 8
    assert lost.endswith("lost")
    assert lost.count("░") == 8
    assert "1.1 Translator #2" in again
    assert again.index("█") > lost.index("░")
    assert "worker-a: 1 stages, at work 20 s of 50 s" in lines
    assert "worker-b: 1 stages, at work 20 s of 50 s" in lines


def test_a_stage_of_another_version_is_drawn_by_its_name():
    run = {"records": {"distillation": RUN["records"]["data"]}}
    assert "? distillation" in render(run, TITLES)


def test_a_run_that_has_not_worked_says_so():
    assert render({"records": {"data": None}}, TITLES) == "No stage of this run has worked yet.\n"
