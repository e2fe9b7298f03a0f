"""Compilers run once per source, and what they made is used for that source alone."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.problem import StdioTest
from voltx_core.judge import Judge, Limits, Outcome, Program
from voltx_core.judge.archives import folder
from voltx_core.judge.builds import Build, BuildStore, build_key
from voltx_core.judge.cage import scratch

LIMITS = Limits(cpu_s=4.0, wall_s=120.0)
GOOD = "fn twice(x: i64) -> i64 { 2 * x }"
TEST = "assert_eq!(twice(3), 6);"


@pytest.fixture
def fresh():
    with Judge(workers=1) as judge:
        found = judge.toolchain("rust")
        if not found.available:
            pytest.skip(found.why)
        yield judge


def rust(code: str, *tests: str | StdioTest) -> Program:
    return Program(id="r", code=code, tests=tests, language="rust", limits=LIMITS)


@pytest.mark.toolchain
def test_a_source_is_compiled_once_and_judged_as_often_as_asked(fresh):
    programs = [rust(GOOD, TEST), rust(GOOD.replace("2", "3"), TEST), rust("fn twice(", TEST)]
    first, second = fresh.run(programs), fresh.run(programs)
    assert [v.outcome for v in first] == [v.outcome for v in second]
    assert first[2].detail == second[2].detail != ""
    assert [v.outcome for v in first] == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.SYNTAX_ERROR,
    ]
    assert fresh.builds.hits == 3
    fresh.run([rust(GOOD + "\n", TEST)] * 3)  # also within one batch
    assert fresh.builds.hits == 5


@pytest.mark.toolchain
def test_one_compilation_serves_all_inputs_and_the_time_is_one_budget(fresh):
    code = "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap();"
    code += ' println!("{}", s.trim().len()); while s.trim() == "loop" {} }'
    ok = StdioTest(stdin="abc\n", stdout="3")
    (verdict,) = fresh.run([rust(code, ok, ok, ok)])
    assert verdict.passed
    assert len(fresh.builds) == 1
    loop = StdioTest(stdin="loop\n", stdout="4")
    (verdict,) = fresh.run([rust(code, ok, loop, ok)])
    assert (verdict.outcome, verdict.tests_passed) == (Outcome.TIMEOUT, 1)
    assert verdict.cpu_s < LIMITS.cpu_s + 1.5
    assert fresh.builds.hits == 1


def test_a_key_tells_sources_commands_and_versions_apart():
    keys = {
        build_key(version, command, source)
        for version in ("1", "2")
        for command in (("c", "-a"), ("c", "-b"), ("c-a",))
        for source in (b"x", b"y", b"")
    }
    assert len(keys) == 18


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=60))
def test_the_store_never_holds_more_than_it_may(requests):
    store = BuildStore(max_bytes=2000)
    for number, size in requests:
        key = str(number)
        if store.get(key) is None:
            store.put(key, Build({"main": bytes(size)}))
        assert store.get(key) is not None
    assert len(store) <= 7


def test_what_was_not_used_for_longest_goes_first_and_what_is_too_large_never_comes_in():
    store = BuildStore(max_bytes=1000)
    for key in "abc":
        store.put(key, Build({"main": bytes(50)}))
        store.get("a")
    store.put("d", Build({"main": bytes(50)}))
    assert [key for key in "abcd" if store.get(key)] == ["a", "c", "d"]
    store.put("e", Build({"main": bytes(1001)}))
    assert store.get("e") is None
    assert store.get("a")


def test_only_regular_files_of_the_right_name_are_taken_from_scratch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("s")
    for name in ("A.class", "in/B.class", "other"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert scratch.products(".class") == {"A.class": b"A.class", "in/B.class": b"in/B.class"}
    (tmp_path / "linked").symlink_to("/")
    assert len(scratch.products(".class") or ()) == 2
    os.symlink("secret", "C.class")
    assert scratch.products(".class") is None
    Path("C.class").unlink()
    os.mkfifo("C.class")
    assert scratch.products(".class") is None
    Path("C.class").unlink()
    with open("C.class", "wb") as file:
        file.truncate(1 << 30)
    assert scratch.products(".class") is None


def test_archives_lie_where_every_uid_can_read_them():
    assert Path(folder()).stat().st_mode & 0o777 == 0o755
