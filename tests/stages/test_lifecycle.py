import fcntl
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from voltx_core.config import resolve
from voltx_core.errors import Interrupted, StageError, StoreError
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.lifecycle import execute, read_report
from voltx_core.stages.planning import plan
from voltx_core.stages.runs import RunRecord, latest

pytestmark = pytest.mark.usefixtures("orchard")


def run_all(config, workspace, run_id="r1", names=("seeds", "press", "taste", "benchmarks")):
    return {name: execute(name, config, workspace, run_id=run_id) for name in names}


def test_a_stage_commits_what_it_promised_with_its_report(workspace, tiny):
    finished = run_all(tiny, workspace)
    assert {done.state for done in finished.values()} == {"committed"}
    manifest = finished["press"].manifest
    events = [name for name in manifest.files if name.startswith("tensorboard/")]
    assert len(events) == 1
    assert set(manifest.files) == {
        "juice.txt",
        "figures/heat_map.png",
        "report.json",
        "metrics.jsonl",
        *events,
    }
    assert manifest.artifacts["juice"].sha256 == manifest.files["juice.txt"].sha256
    assert manifest.inputs == {"seeds": finished["seeds"].manifest.artifacts["seeds"].sha256}
    assert read_report(workspace, manifest) == finished["press"].report


def test_targets_are_met_missed_or_not_measured(workspace, tiny):
    report = run_all(tiny, workspace, names=("seeds", "press"))["press"].report
    assert [(t["metric"], t["measured"], t["met"]) for t in report["targets"]] == [
        ("yield", 0.75, True),
        ("clarity", 0.25, False),
        ("aroma", None, None),
    ]
    assert report["timings_s"]["squeezing"] == 0.5
    assert report["timings_s"]["total"] >= report["timings_s"]["stage.run"] >= 0


def test_running_again_reuses_every_stage(workspace, tiny):
    first = run_all(tiny, workspace)
    again = run_all(tiny, workspace, run_id="r2")
    assert {done.state for done in again.values()} == {"reused"}
    assert [d.manifest for d in again.values()] == [d.manifest for d in first.values()]


def test_force_does_the_work_again(workspace, tiny):
    first = run_all(tiny, workspace)["press"].manifest
    again = execute("press", tiny, workspace, run_id="r2", force=True)
    assert again.state == "committed"
    assert again.manifest.created_at > first.created_at
    assert again.manifest.artifacts == first.artifacts


def test_forced_work_that_fails_leaves_the_earlier_result(orchard, workspace, tiny):
    first = run_all(tiny, workspace)["press"].manifest
    orchard.edit("press", "import torch", 'raise ValueError("the press jammed")')
    with pytest.raises(ValueError, match="jammed"):
        execute("press", tiny, workspace, run_id="r2", force=True)
    assert workspace.artifacts.manifests("press") == [first]
    assert workspace.artifacts.fetch(first, "juice").exists()


def test_an_attempt_after_the_forced_work_was_committed_reuses_it(workspace, tiny):
    run_all(tiny, workspace)
    forced = execute("press", tiny, workspace, run_id="r2", force=True).manifest
    record = RunRecord(workspace.artifacts, "r2")
    record.stage("press", state="retrying", why="its process died after the commit")
    again = execute("press", tiny, workspace, run_id="r2", force=True)
    assert again.manifest == forced
    assert record.of("press")["state"] == "committed"
    assert record.of("press")["report"]["metrics"]["yield"] == 0.75


def test_the_time_of_killed_attempts_is_reported_beside_the_last_one(workspace, tiny):
    run_all(tiny, workspace, names=("seeds",))
    record = RunRecord(workspace.artifacts, "r1")
    for start, alive in (("10:00:00", "10:05:00"), ("10:06:00", "10:06:30")):
        record.begin("press")
        day = "2026-01-01T"
        record.stage("press", started_at=f"{day}{start}+00:00", alive_at=f"{day}{alive}+00:00")
    report = execute("press", tiny, workspace, run_id="r1").report
    assert report["timings_s"]["earlier attempts"] == 330.0
    assert report["timings_s"]["total"] < 330.0


def test_forced_work_does_not_begin_where_another_run_ended(workspace, tiny):
    first = run_all(tiny, workspace)["press"].manifest
    work = workspace.work("press", first.fingerprint)
    (work / "progress" / "7").mkdir(parents=True)
    (work / "progress" / "7" / "complete.json").write_text("{}")
    workspace.artifacts.save_progress("press", first.fingerprint, 7, work / "progress" / "7")
    execute("press", tiny, workspace, run_id="r2", force=True)
    assert workspace.artifacts.progress_steps("press", first.fingerprint) == []
    assert not work.exists()


def test_what_fails_after_the_commit_leaves_the_stage_committed(workspace, tiny, monkeypatch):
    run_all(tiny, workspace, names=("seeds",))

    def refuse(*_args, **_settings):
        raise StoreError("503 from the store")

    monkeypatch.setattr(workspace.artifacts, "prune_progress", refuse)
    done = execute("press", tiny, workspace, run_id="r1")
    assert done.state == "committed"
    assert RunRecord(workspace.artifacts, "r1").of("press")["state"] == "committed"


def test_a_stage_told_to_stop_while_its_outputs_are_stored_is_stored_by_the_next(
    workspace, tiny, monkeypatch
):
    run_all(tiny, workspace, names=("seeds",))
    stop, put_file = StopFlag(), workspace.artifacts.store.put_file
    stored = []

    def slow(key, path, **how):
        if key.startswith("stages/") and not stored:
            stop.set("told to")
        put_file(key, path, **how)
        stored.append(key)

    monkeypatch.setattr(workspace.artifacts.store, "put_file", slow)
    with pytest.raises(Interrupted, match="told to"):
        execute("press", tiny, workspace, run_id="r1", stop=stop)
    assert workspace.artifacts.manifests("press") == []
    assert execute("press", tiny, workspace, run_id="r1").state == "committed"


def test_a_process_that_waits_for_another_one_leaves_when_asked(workspace, tiny):
    run_all(tiny, workspace, names=("seeds",))
    planned = plan(tiny, workspace.artifacts, stages=("seeds", "press"))["press"]
    lock = workspace.work("press", planned.fingerprint).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    stop = StopFlag()
    stop.set("told to")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Interrupted, match="told to"):
            execute("press", tiny, workspace, run_id="r1", stop=stop)


def test_a_stage_whose_input_is_missing_names_what_to_run(workspace, tiny):
    with pytest.raises(StageError, match=r"1\.0 seeds will be made first.*voltx run --until press"):
        execute("press", tiny, workspace, run_id="r1")


def test_a_failing_stage_leaves_no_result_and_says_why(orchard, workspace, tiny):
    run_all(tiny, workspace, names=("seeds",))

    orchard.edit("press", "import torch", 'raise ValueError("the press jammed")')
    record = RunRecord(workspace.artifacts, "r1")
    record.start(tiny, ("seeds", "press"))
    with pytest.raises(ValueError, match="jammed"):
        execute("press", tiny, workspace, run_id="r1")
    assert workspace.artifacts.manifests("press") == []
    row = record.rows()[1]
    assert (row["state"], row["why"]) == ("failed", "ValueError: the press jammed")
    assert row["started_at"] <= row["finished_at"]


def test_a_promised_artifact_that_was_not_written_fails_the_stage(orchard, workspace, tiny):
    run_all(tiny, workspace, names=("seeds",))
    orchard.edit("press", 'run.output("juice")', '(run.folder / "elsewhere.txt")')
    with pytest.raises(Exception, match=r"juice"):
        execute("press", tiny, workspace, run_id="r1")
    assert workspace.artifacts.manifests("press") == []


def test_a_stopped_stage_resumes_to_the_same_bytes(workspace, tiny):
    straight = run_all(tiny, workspace)["press"].manifest
    workspace.artifacts.store.delete_prefix(f"stages/press/{straight.fingerprint}")
    stop = StopFlag()

    class Stopper:
        def progress(self, done, *_):
            if done == 11:
                stop.set("told to")

        def metrics(self, *_): ...

        def figure(self, *_): ...

    with pytest.raises(Interrupted, match="press saved at step 11"):
        execute("press", tiny, workspace, run_id="r2", stop=stop, observer=Stopper())
    resumed = execute("press", tiny, workspace, run_id="r3").manifest
    assert resumed.artifacts == straight.artifacts
    steps = [
        json.loads(line)["step"]
        for line in workspace.artifacts.fetch_file(resumed, "metrics.jsonl").open()
    ]
    assert steps == list(range(20))


def interrupt(workspace, tiny, at):
    """Ask the press to stop at a step, under the run r1; its folder of work."""
    run_all(tiny, workspace, names=("seeds",))
    stop = StopFlag()

    class Stopper:
        def progress(self, done, *_):
            if done == at:
                stop.set("told to")

        def metrics(self, *_): ...

        def figure(self, *_): ...

    with pytest.raises(Interrupted):
        execute("press", tiny, workspace, run_id="r1", stop=stop, observer=Stopper())
    return workspace.work("press", RunRecord(workspace.artifacts, "r1").of("press")["fingerprint"])


def test_points_of_work_that_was_lost_are_not_in_the_curves_twice(workspace, tiny):
    work = interrupt(workspace, tiny, 11)
    with (work / "metrics.jsonl").open("a") as log:  # a process killed three steps further
        log.writelines(f'{{"step": {step}, "press/loss": 9.0}}\n' for step in (11, 12, 13))
    resumed = execute("press", tiny, workspace, run_id="r1").manifest
    lines = workspace.artifacts.fetch_file(resumed, "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(20))
    assert json.loads(lines[12])["press/loss"] == pytest.approx(1 / 13)


def test_curves_are_whole_on_a_machine_that_takes_over(workspace, tiny):
    interrupt(workspace, tiny, 11)
    shutil.rmtree(workspace.home)  # all that is left is the store
    resumed = execute("press", tiny, workspace, run_id="r1").manifest
    lines = workspace.artifacts.fetch_file(resumed, "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(20))


def test_the_report_says_how_long_saving_and_leaving_took(workspace, tiny):
    interrupt(workspace, tiny, 11)
    assert RunRecord(workspace.artifacts, "r1").of("press")["left_s"] >= 0
    timings = execute("press", tiny, workspace, run_id="r1").report["timings_s"]
    assert 0 <= timings["checkpoint.leaving, slowest"] < timings["earlier attempts"]


def test_leaving_slower_than_the_notice_is_warned_about(workspace, tiny, caplog):
    hasty = tiny.model_copy(
        update={"checkpoint": tiny.checkpoint.model_copy(update={"notice_s": 1e-6})}
    )
    interrupt(workspace, hasty, 11)
    assert "longer than checkpoint.notice_s" in caplog.text


def test_progress_of_another_machine_is_taken_over(orchard, workspace, tiny):
    run_all(tiny, workspace, names=("seeds",))
    stop = StopFlag()
    stop.set("the machine goes away")
    with pytest.raises(Interrupted):
        execute("press", tiny, workspace, run_id="r1", stop=stop)
    shutil.rmtree(workspace.home)  # all that is left is the store
    restored = []
    real = orchard.modules["press"].run

    def watched(run):
        restored.append(run.checkpoints.restore("press"))
        return real(run)

    orchard.modules["press"].run = watched
    assert execute("press", tiny, workspace, run_id="r1").state == "committed"
    assert restored[0] is not None
    assert restored[0].step == 0


def test_nothing_of_the_work_stays_after_the_commit(workspace, tiny):
    manifest = run_all(tiny, workspace, names=("seeds", "press"))["press"].manifest
    assert not workspace.work("press", manifest.fingerprint).exists()
    assert workspace.artifacts.progress_steps("press", manifest.fingerprint) == []


def test_two_workers_never_share_one_fingerprint(orchard, workspace, tiny):
    """The second waits for the lock of the first and then finds its result."""
    run_all(tiny, workspace, names=("seeds",))
    entered, release, calls = threading.Event(), threading.Event(), []
    real = orchard.modules["press"].run

    def slow(run):
        calls.append(run)
        entered.set()
        release.wait(20)
        return real(run)

    orchard.modules["press"].run = slow
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(execute, "press", tiny, workspace, run_id="a")
        assert entered.wait(20)
        second = pool.submit(execute, "press", tiny, workspace, run_id="b")
        release.set()
        assert {first.result(20).state, second.result(20).state} == {"committed", "reused"}
    assert len(calls) == 1


def test_preflight_lists_everything_that_is_missing(workspace, monkeypatch):
    from voltx_core.stages import preflight

    config = resolve("tiny", environ={})
    monkeypatch.setitem(preflight.DISK_MIB, "tiny", 10**9)
    monkeypatch.setitem(preflight.MEMORY_MIB, "tiny", 10**9)
    with pytest.raises(StageError) as raised:
        execute("seeds", config, workspace, run_id="r1")
    message = str(raised.value)
    assert "Stage 1.0 seeds did not start" in message
    assert "free disk" in message
    assert "of memory are available" in message


def test_the_run_record_tells_state_and_progress_of_every_stage(workspace, tiny):
    record = RunRecord(workspace.artifacts, "r1")
    record.start(tiny, ("seeds", "press", "taste", "benchmarks"), ui="http://localhost:4200")
    run_all(tiny, workspace, names=("seeds", "press"))
    rows = {row["name"]: row for row in record.rows()}
    assert [row["number"] for row in rows.values()] == ["1.0", "2.0", "2.1", "3.0"]
    assert rows["press"]["state"] == "committed"
    assert rows["press"]["progress"]["done"] == 20
    assert rows["press"]["report"]["metrics"]["yield"] == 0.75
    assert (rows["taste"]["state"], rows["taste"]["why"]) == ("waiting", "not started")
    assert latest(workspace.artifacts) == "r1"
    assert record.read()["ui"] == "http://localhost:4200"


def test_a_second_attempt_keeps_the_first_in_the_record(orchard, workspace, tiny):
    record = RunRecord(workspace.artifacts, "r1")
    record.start(tiny, ("seeds", "press"))
    run_all(tiny, workspace, names=("seeds",))
    orchard.edit("press", "import torch", 'raise ValueError("the press jammed")')
    with pytest.raises(ValueError, match="jammed"):
        execute("press", tiny, workspace, run_id="r1")
    # Whoever dispatches stages writes from another process.
    RunRecord(workspace.artifacts, "r1").stage("press", state="retrying", why="in 1 s")
    orchard.edit("press", 'raise ValueError("the press jammed")', "import torch")
    execute("press", tiny, workspace, run_id="r1")
    (first,) = record.of("press")["earlier"]
    assert first["started_at"] <= first["finished_at"] <= record.of("press")["started_at"]
    assert record.of("press")["state"] == "committed"
    assert record.of("press")["progress"]["done"] == 20


def test_a_run_taken_up_again_still_says_what_it_made_itself(workspace, tiny):
    record = RunRecord(workspace.artifacts, "r1")
    record.start(tiny, ("seeds",))
    run_all(tiny, workspace, names=("seeds",))
    made = record.of("seeds")
    assert execute("seeds", tiny, workspace, run_id="r1").state == "reused"
    assert record.of("seeds") == made


def test_starting_a_stage_reads_every_manifest_before_it_once(workspace, tiny, monkeypatch):
    """On S3 each is a request; looking for them anew for every input made hundreds."""
    run_all(tiny, workspace, names=("seeds", "press", "taste"))
    asked = []
    real = workspace.artifacts.manifest
    monkeypatch.setattr(
        workspace.artifacts, "manifest", lambda *key: asked.append(key[0]) or real(*key)
    )
    execute("benchmarks", tiny, workspace, run_id="r1")
    assert [asked.count(name) for name in ("seeds", "press", "taste")] == [1, 1, 1]
