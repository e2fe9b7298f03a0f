import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from voltx_core.errors import StageError
from voltx_core.report import charts, formatting, headline
from voltx_core.report.content import Setting, StageCard
from voltx_core.report.curves import MOST_POINTS, read_curves, smoothed
from voltx_core.report.markdown import summary
from voltx_core.report.report_card import read_card, write_report
from voltx_core.report.reproduction import command
from voltx_core.report.svg import ticks, time_ticks
from voltx_core.report.wall_time import wall_time
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.runs import RunRecord

NAMES = ("seeds", "press", "taste", "benchmarks")


@pytest.fixture
def complete(orchard, workspace, tiny):
    """A run of the small graph, all stages committed."""
    del orchard
    RunRecord(workspace.artifacts, "r1").start(tiny, NAMES, url="http://127.0.0.1:4200/run")
    for name in NAMES:
        execute(name, tiny, workspace, run_id="r1")
    return workspace


@pytest.fixture
def report(complete, tmp_path):
    return write_report("r1", complete, folder=tmp_path / "runs")


class Page(HTMLParser):
    """Collects what a browser would fetch, and the text."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.open, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]
        if tag not in ("meta", "img", "br", "rect", "circle", "line", "polyline", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


def test_a_run_of_vincigpt_is_repeated_by_its_own_command():
    seeded = [Setting(key="seed", value=3, usual=0)]
    stages = ["vincigpt_corpus", "vincigpt"]
    found = command("single-gpu", seeded, stages, ["data"], aside=stages)
    assert found == "voltx vincigpt train --preset h100-1h --set seed=3"
    assert command("tiny", [], ["data"], ["data"], aside=stages) == "voltx run --preset tiny"


def test_three_files_and_the_latest_link_are_written(report):
    assert {path.name for path in report.iterdir()} == {
        "report.json",
        "report.md",
        "report.html",
        "figures",
    }
    latest = report.parent / "latest"
    assert latest.is_symlink()
    assert latest.resolve() == report.resolve()


def test_the_latest_link_moves_to_the_newest_report(report, complete, tiny):
    RunRecord(complete.artifacts, "r2").start(tiny, NAMES)
    for name in NAMES:
        execute(name, tiny, complete, run_id="r2")
    newer = write_report("r2", complete, folder=report.parent)
    assert (report.parent / "latest").resolve() == newer.resolve()
    assert [path.name for path in report.parent.glob(".*")] == []


def test_a_folder_called_latest_is_not_destroyed(complete, tmp_path):
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    with pytest.raises(StageError, match="Move it away"):
        write_report("r1", complete, folder=tmp_path / "runs")


def test_the_store_holds_the_same_report(report, complete):
    for name in ("report.json", "report.md", "report.html"):
        assert complete.artifacts.store.get_bytes(f"runs/r1/{name}") == (report / name).read_bytes()


def test_the_json_report_holds_what_the_stages_measured(report):
    found = json.loads((report / "report.json").read_text())
    assert found["run_id"] == "r1"
    assert found["state"] == "complete"
    assert found["targets"] == {"met": 1, "missed": 1, "not measured": 1}
    assert found["headline"]["label"] == "after 4.3"
    assert (found["headline"]["value"], found["headline"]["low"]) == (0.52, 0.45)
    press = next(stage for stage in found["stages"] if stage["name"] == "press")
    assert press["metrics"] == {"yield": 0.75, "clarity": 0.25, "aroma": None}
    assert press["curves"]["press/loss"][0] == [0, 1.0]
    assert press["inputs"] == {"seeds": "seeds"}
    assert press["figures"] == ["heat_map"]
    assert 0 <= found["time"]["other_share"] <= 1


def test_the_page_is_complete_and_fetches_nothing(report):
    text = (report / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    for address in page.addresses:
        assert address.startswith(("#", "data:image/"))
    assert "<script" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert any(address.startswith("data:image/png;base64,iVBOR") for address in page.addresses)


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_people_find_everything_in_either_format(report, name):
    text = (report / name).read_text()
    words = " ".join(Page(text).words) if name.endswith("html") else text
    for part in (
        "r1",
        "tiny",
        "held-out compositions",
        "52.0 %",
        "45.0 – 59.0 %",
        "transformer baseline",
        "more than half becomes juice",
        "✓ met",
        "✗ missed",
        "– not measured",
        "The panel was not at home: aroma was not measured.",
        "Batches",
        "safety.steps",
        "voltx run --preset tiny --set safety.steps=20",
        "torch",
        "made by",
    ):
        assert part in words, part


def test_every_picture_of_the_markdown_lies_beside_it_and_is_sound(report):
    text = (report / "report.md").read_text()
    linked = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert sorted(linked) == sorted(
        str(path.relative_to(report)) for path in (report / "figures").iterdir()
    )
    assert "figures/timeline.svg" in linked
    assert "figures/press-heat_map.png" in linked
    for path in (report / "figures").glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_markdown_tables_have_rows_of_equal_length(report):
    lines = (report / "report.md").read_text().splitlines()
    width = 0
    for line in lines:
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert width in (0, cells), line
        width = cells


def test_what_a_stage_says_is_shown_as_text_and_never_as_markup(orchard, workspace, tiny, tmp_path):
    hostile = "<script>alert(1)</script> a|b"
    orchard.edit("press", "The panel was not at home: aroma was not measured.", hostile)
    RunRecord(workspace.artifacts, "r1").start(tiny, ("seeds", "press"))
    for name in ("seeds", "press"):
        execute(name, tiny, workspace, run_id="r1")
    home = write_report("r1", workspace, folder=tmp_path)
    assert "<script" not in (home / "report.html").read_text()
    assert "<script" not in (home / "report.md").read_text()
    assert "a\\|b" in (home / "report.md").read_text()


def test_a_run_that_has_just_begun_has_a_report(orchard, workspace, tiny, tmp_path):
    del orchard
    RunRecord(workspace.artifacts, "r1").start(tiny, NAMES)
    home = write_report("r1", workspace, folder=tmp_path)
    found = json.loads((home / "report.json").read_text())
    assert found["state"] == "partial"
    assert found["headline"] is None
    assert {stage["state"] for stage in found["stages"]} == {"waiting"}
    assert found["targets"] == {"met": 0, "missed": 0, "not measured": 3}
    assert "pass@1: not measured" in (home / "report.md").read_text()


def test_a_failed_run_says_what_failed_and_keeps_the_rest(orchard, workspace, tiny, tmp_path):
    orchard.edit(
        "press",
        "    run.output(",
        '    raise RuntimeError("the press jammed")\n    run.output(',
    )
    record = RunRecord(workspace.artifacts, "r1")
    record.start(tiny, NAMES)
    execute("seeds", tiny, workspace, run_id="r1")
    with pytest.raises(RuntimeError):
        execute("press", tiny, workspace, run_id="r1")
    record.stage("benchmarks", state="blocked", why="a stage before it did not finish")
    home = write_report("r1", workspace, folder=tmp_path)
    found = json.loads((home / "report.json").read_text())
    states = {stage["name"]: stage["state"] for stage in found["stages"]}
    assert found["state"] == "failed"
    assert states == {
        "seeds": "committed",
        "press": "failed",
        "taste": "waiting",
        "benchmarks": "blocked",
    }
    press = found["stages"][1]
    assert press["why"] == "RuntimeError: the press jammed"
    # The curves so far are still in the work folder of this machine.
    assert len(press["curves"]["press/loss"]) == 20
    assert "the press jammed" in (home / "report.html").read_text()


def test_a_reused_stage_brings_the_report_of_the_run_that_made_it(complete, tiny, tmp_path):
    RunRecord(complete.artifacts, "r2").start(tiny, NAMES)
    for name in NAMES:
        execute(name, tiny, complete, run_id="r2")
    found = json.loads((write_report("r2", complete, folder=tmp_path) / "report.json").read_text())
    assert {stage["state"] for stage in found["stages"]} == {"reused"}
    assert found["headline"]["value"] == 0.52
    assert found["time"]["covered_s"] == 0
    assert found["stages"][1]["work_s"] > 0


def test_damaged_outputs_cost_a_note_and_not_the_report(complete, tmp_path):
    manifest = complete.artifacts.manifests("press")[0]
    path = complete.artifacts.fetch_file(manifest, "figures/heat_map.png")
    path.write_bytes(b"not what it was")
    home = write_report("r1", complete, folder=tmp_path)
    found = json.loads((home / "report.json").read_text())
    press = found["stages"][1]
    assert press["figures"] == []
    assert "figures/heat_map.png cannot be read" in press["notes"][-1]
    assert press["metrics"]["yield"] == 0.75


def test_a_lost_result_leaves_the_record_of_the_run(complete, tmp_path):
    manifest = complete.artifacts.manifests("press")[0]
    complete.artifacts.store.delete_prefix(f"stages/press/{manifest.fingerprint}")
    home = write_report("r1", complete, folder=tmp_path)
    press = json.loads((home / "report.json").read_text())["stages"][1]
    assert press["metrics"]["yield"] == 0.75
    assert "no longer in the store" in press["notes"][0]


def test_not_a_number_is_null_in_json_and_said_in_words(orchard, workspace, tiny, tmp_path):
    orchard.edit("press", '"clarity": 0.25', '"clarity": float("nan")')
    RunRecord(workspace.artifacts, "r1").start(tiny, ("seeds", "press"))
    for name in ("seeds", "press"):
        execute(name, tiny, workspace, run_id="r1")
    home = write_report("r1", workspace, folder=tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads((home / "report.json").read_text(), parse_constant=refuse)
    assert found["stages"][1]["metrics"]["clarity"] is None
    assert "not a number" in (home / "report.md").read_text()


def test_an_unknown_run_is_refused_with_the_known_ones(complete, tmp_path):
    with pytest.raises(StageError, match=r"knows no run 'r9'\. Its runs: r1\."):
        write_report("r9", complete, folder=tmp_path)
    assert not tmp_path.joinpath("r9").exists()


def test_the_summary_has_headline_and_stages_but_no_pictures(complete):
    text = summary(read_card("r1", complete))
    assert "**pass@1 on held-out compositions**: 52.0 % (after 4.3)" in text
    assert "| 2.0 | **Press** | committed |" in text
    assert "![" not in text


def test_the_lineage_follows_digests(complete):
    stages = {stage.name: stage for stage in read_card("r1", complete).stages}
    assert stages["taste"].inputs == {"seeds": "seeds", "pits": "seeds"}
    assert stages["benchmarks"].inputs == {"juice": "press", "tasting": "taste"}


def test_the_drawing_leaves_out_what_follows_from_a_chain():
    def made(name, **inputs):
        return StageCard(
            number="1", name=name, title=name, pool="", state="committed", why="", inputs=inputs
        )

    drawn = charts.lineage([made("a"), made("b", x="a"), made("c", x="a", y="b")])
    assert drawn.count('class="edge"') == 2


T0 = datetime(2026, 1, 2, tzinfo=UTC)


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def stage(start, end, state="committed", **more):
    return StageCard(
        number="1.0",
        name=f"s{start}",
        title="S",
        pool="cpu",
        state=state,
        why="",
        started_at=at(start),
        finished_at=None if end is None else at(end),
        **more,
    )


def test_overlapping_stages_count_once():
    time = wall_time(T0, at(100), [stage(10, 40), stage(20, 50), stage(60, 90)])
    assert (time.wall_s, time.covered_s, time.stages_s) == (100, 70, 90)
    assert time.other_share == pytest.approx(0.3)
    assert time.overlapped_s == 20


def test_reused_stages_are_no_work_and_running_ones_last_until_now():
    time = wall_time(T0, at(100), [stage(0, 50, "reused"), stage(60, None, "running")])
    assert (time.covered_s, time.other_share) == (40, pytest.approx(0.6))


def test_attempts_that_were_killed_are_stage_work_too():
    time = wall_time(T0, at(100), [stage(50, 100, earlier=((at(0), at(40)),))])
    assert time.covered_s == 90


def test_a_run_without_times_has_no_share():
    assert wall_time(None, None, []).other_share is None


def test_curves_keep_the_later_value_of_a_repeated_step_and_survive_torn_lines():
    lines = [
        '{"step": 1, "loss": 3.0}',
        '{"step": 2, "loss": 2.0, "note": "text"}',
        '{"step": 3, "lo{"step": 2, "loss": 2.5}',
        '{"step": 2, "loss": 2.25}',
        '{"step": 4, "loss": NaN}',
        "[]",
        '{"loss": 1.0}',
    ]
    assert read_curves(lines) == {"loss": [(1, 3.0), (2, 2.25)]}


def test_long_curves_are_thinned_and_keep_both_ends():
    lines = [json.dumps({"step": step, "loss": step / 7}) for step in range(10_000)]
    (curve,) = read_curves(lines).values()
    assert len(curve) == MOST_POINTS
    assert (curve[0][0], curve[-1][0]) == (0, 9_999)


def test_smoothing_keeps_a_constant_and_lowers_the_spread():
    assert smoothed([(i, 2.0) for i in range(50)]) == [(i, pytest.approx(2.0)) for i in range(50)]
    noisy = [(i, float(i % 2)) for i in range(400)]
    late = [value for _, value in smoothed(noisy)[100:]]
    assert max(late) - min(late) < 0.3


ROW = {"split": "humaneval", "label": "2.1 soft core", "kind": "model", "pass@1": 0.1}


def test_compositions_come_first_and_the_final_model_leads():
    rows = [
        ROW,
        ROW | {"split": "held-out compositions", "label": "4.3 sleep", "pass@1": 0.5},
        ROW | {"split": "held-out compositions", "label": "5.1 scaled", "pass@1": 0.6},
    ]
    found = headline.scores({"Results": rows, "Costs": [{"label": "4.3 sleep", "score": 1.0}]})
    assert [score.split for score in found] == ["held-out compositions"] * 2 + ["humaneval"]
    assert headline.leading(found).label == "4.3 sleep"


def test_without_the_final_model_the_latest_measured_one_leads():
    rows = [ROW, ROW | {"label": "4.1 end-to-end", "pass@1": None}]
    assert headline.leading(headline.scores({"Results": rows})).label == "2.1 soft core"
    assert headline.leading(()) is None


def test_a_contaminated_score_says_so():
    (score,) = headline.scores({"Results": [ROW | {"contaminated": 3}]})
    assert score.note == "contaminated: 3 problems"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"),
        (0.0, "0"),
        (0.51234, "0.512"),
        (4400, "4,400"),
        (12345.6, "12,346"),
        (6.7e12, "6.70e+12"),
        (2e-5, "2.00e-05"),
        (float("nan"), "not a number"),
        (True, "yes"),
    ],
)
def test_numbers_read_well(value, text):
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (185, "3 min 05 s"),
        (7_810, "2 h 10 min"),
        (273_600, "3 d 4 h"),
        (None, "not measured"),
    ],
)
def test_durations_never_say_sixty(seconds, text):
    assert formatting.duration(seconds) == text


def test_ticks_are_round_and_inside():
    assert ticks(0.03, 1.02) == pytest.approx([0.5, 1.0])
    assert ticks(-1, 1) == pytest.approx([-1, -0.5, 0, 0.5, 1])
    assert time_ticks(340) == [0, 60, 120, 180, 240, 300]
    assert time_ticks(0.5)[-1] <= 0.5
