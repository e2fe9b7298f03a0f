"""The judge under attack: at every level that works here, nobody gets what they are after."""

import os

import pytest

from voltx_core.judge.attacks import CATALOGUE, GROUPS, SIGNS, run_attacks
from voltx_core.judge.isolation import LEVELS

# Where nothing stops it, this shows that the sign is noticed.
PROOFS = {
    "secret": "read a private file",
    "changed": "write into a file that everyone may write",
    "contact": "connect over TCP",
    "signalled": "signal the trainer",
    "survivor": "leave a grandchild in its own session",
    "growth": "start threads",
    "overtime": "sleep",
    "verdict": "a number that equals everything",
}


def attacked(level: str, uid: int | None, names: list[str] | None) -> set[str]:
    """Run attacks; the names of those that succeeded."""
    report = run_attacks(level, uid=uid, names=names)
    if report.why:
        pytest.skip(report.why)
    assert report.attacks_run == len(CATALOGUE if names is None else names)
    return {finding.name for finding in report.succeeded}


@pytest.mark.parametrize("level", LEVELS)
def test_no_attack_succeeds(level):
    """A third at each level, without those that wait for limits; the integration test has all."""
    quick = [name for name, one in CATALOGUE.items() if one.group not in ("time", "resources")]
    names = quick[LEVELS.index(level) :: len(LEVELS)]
    assert attacked(level, None, names) == set()


@pytest.mark.integration
@pytest.mark.parametrize("uid", [None, 65534], ids=["oneself", "nobody"])
@pytest.mark.parametrize("level", LEVELS)
def test_no_attack_of_all_succeeds_for_any_user(level, uid):
    if uid is not None and os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    assert attacked(level, uid, None) == set()


@pytest.mark.parametrize(
    "name",
    [
        "send to a Unix socket from one of a pair",
        "hand a descriptor to a Unix socket",
        "read where a link leads",
        "watch the names of files that others make",
        "read attributes of a file",
        "find the input of another case",
        "start threads by raw calls",
        "write files into hidden folders",
        "write files without names",
        "make many empty files",
        "make the tests take memory",
        "a text that breaks what prints it",
    ],
)
def test_an_attack_that_once_succeeded_never_does_again(name):
    assert attacked("seccomp", None, [name]) == set()


@pytest.fixture(scope="module")
def weak():
    """What the proofs come to where nothing stops them."""
    report = run_attacks("bare", names=PROOFS.values(), slack_s=0.0)
    if report.why:
        pytest.skip(report.why)
    return {finding.name: finding for finding in report.findings}


@pytest.mark.parametrize("sign", PROOFS)
def test_each_sign_of_success_is_noticed_where_nothing_stops_the_attack(weak, sign):
    assert sign in weak[PROOFS[sign]].signs


def test_a_judge_that_is_taken_down_counts_as_a_success():
    report = run_attacks("bare", names=["take the place of the judge", "connect over TCP"])
    if report.why:
        pytest.skip(report.why)
    assert [bool(finding.signs) for finding in report.findings] == [True, True]
    assert "judge" in report.findings[0].signs


@pytest.mark.integration
def test_most_attacks_are_real():
    groups = ("network", "reading", "writing", "escape")
    names = [attack.name for attack in CATALOGUE.values() if attack.group in groups]
    report = run_attacks("bare", names=names, slack_s=0.0)
    if report.why:
        pytest.skip(report.why)
    assert len(report.succeeded) > 0.8 * len(report.run)
    assert any(finding.group == "network" for finding in report.succeeded)


def test_a_level_that_does_not_work_is_reported_as_not_run():
    report = run_attacks("no such level", names=["sleep"])
    assert report.attacks_run is None
    assert report.attacks_succeeded is None
    assert "unknown isolation level" in report.why


def test_the_catalogue_tries_everything():
    groups = {attack.group for attack in CATALOGUE.values()}
    assert groups == set(GROUPS)
    assert len(CATALOGUE) >= 80
    assert {attack.sign for attack in CATALOGUE.values()} == set(SIGNS)
