"""docs/faults.md says what a user sees when the store fails; each row is provoked here."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from voltx_core.bench.faults import Fault, FaultyProxy
from voltx_core.errors import StoreError
from voltx_core.store import Mirror, sha256_bytes
from voltx_core.store.local import LocalStore
from voltx_core.store.s3 import S3Store

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
BEFORE = b"stored before"


@dataclass
class Case:
    """A store behind a faulty proxy, with one object in it that must never be lost."""

    remote: S3Store
    direct: S3Store
    proxy: FaultyProxy
    big: Path
    folder: Path
    request: pytest.FixtureRequest

    def refused(self, attempt: Callable[[], object]) -> str:
        """The message of the error that the attempt ends in."""
        with pytest.raises(StoreError) as caught:
            attempt()
        return str(caught.value)

    def lasting(self, fault: Fault) -> str:
        self.proxy.plan.order(fault, None, method="PUT")
        return self.refused(lambda: self.remote.put_bytes("new", b"new"))

    def passing(self, fault: Fault, times: int = 2) -> str:
        """Nothing: a file goes up and comes down through the fault."""
        upload = fault not in (Fault.CUT_DOWNLOAD, Fault.SHORT_DOWNLOAD, Fault.FLIPPED_DOWNLOAD)
        self.proxy.plan.order(fault, times, method="PUT" if upload else "GET", containing="/p/big")
        self.remote.put_file("big", self.big)
        sha256 = sha256_bytes(self.big.read_bytes())
        self.remote.get_file("big", self.folder / "back", sha256=sha256)
        assert (self.folder / "back").read_bytes() == self.big.read_bytes()
        assert self.proxy.injected == {fault: times}
        return ""


def outage(case: Case) -> str:
    case.proxy.plan.order(Fault.SERVER_ERROR, None)
    impatient = S3Store(case.remote.url, endpoint_url=case.proxy.url, attempts=2)
    return case.refused(lambda: impatient.put_bytes("new", b"new"))


def unreachable(case: Case) -> str:
    case.proxy.plan.order(Fault.CUT_UPLOAD, None)
    impatient = S3Store(case.remote.url, endpoint_url=case.proxy.url, attempts=1)
    return case.refused(lambda: impatient.put_bytes("new", b"new"))


def always_damaged(case: Case) -> str:
    case.proxy.plan.order(Fault.FLIPPED_UPLOAD, None)
    return case.refused(lambda: case.remote.put_bytes("new", b"new"))


def damaged_at_rest(case: Case) -> str:
    promised = sha256_bytes(b"the model")
    case.direct.put_bytes("model.bin", b"the mXdel")
    target = case.folder / "model.bin"
    said = case.refused(lambda: case.remote.get_file("model.bin", target, sha256=promised))
    assert not target.exists()
    return said


def full_disk(case: Case) -> str:
    disk = case.request.getfixturevalue("tiny_disk")
    case.direct.put_bytes("model.bin", b"x" * 400_000)
    sha256 = sha256_bytes(b"x" * 400_000)
    target = disk / "model.bin"
    said = case.refused(lambda: case.remote.get_file("model.bin", target, sha256=sha256))
    assert list(disk.iterdir()) == []
    return said


def full_folder(case: Case) -> str:
    local = LocalStore(case.request.getfixturevalue("tiny_disk") / "volt-store")
    local.put_bytes("before", BEFORE)
    said = case.refused(lambda: local.put_bytes("model.bin", b"x" * 400_000))
    assert local.get_bytes("before") == BEFORE
    return said


def background(case: Case) -> str:
    caplog = case.request.getfixturevalue("caplog")
    impatient = S3Store(case.remote.url, endpoint_url=case.proxy.url, attempts=1)
    case.proxy.plan.order(Fault.SLOW_DOWN, None)
    with caplog.at_level(logging.WARNING), Mirror() as mirror:
        mirror.submit(lambda: impatient.put_bytes("new", b"new"), "checkpoint 7 of soft_core")
    return caplog.records[-1].getMessage()


def damaged_once(case: Case) -> str:
    caplog = case.request.getfixturevalue("caplog")
    case.direct.put_bytes("model.bin", b"the model")
    case.proxy.plan.order(Fault.FLIPPED_DOWNLOAD)
    with caplog.at_level(logging.WARNING):
        assert case.remote.get_bytes("model.bin") == b"the model"
    return caplog.records[-1].getMessage()


GOES_ON = "tried again with growing pauses, goes on"
ROWS: dict[str, tuple[str, Callable[[Case], str]]] = {
    "The server answers 500 now and then": (
        GOES_ON,
        lambda case: case.passing(Fault.SERVER_ERROR),
    ),
    "The server asks to slow down (503)": (GOES_ON, lambda case: case.passing(Fault.SLOW_DOWN)),
    "The connection is cut during an upload": (
        "the part under way is sent again",
        lambda case: case.passing(Fault.CUT_UPLOAD),
    ),
    "An upload is done, its answer is lost": (
        "recognised as done, or the part is sent again",
        lambda case: case.passing(Fault.LOST_ANSWER),
    ),
    "The connection is cut during a download": (
        "the range under way is fetched again",
        lambda case: case.passing(Fault.CUT_DOWNLOAD),
    ),
    "An object arrives without its end": (
        "the range is fetched again",
        lambda case: case.passing(Fault.SHORT_DOWNLOAD, 1),
    ),
    "A bit flips on the way up": (
        "the part is sent again before it counts",
        lambda case: case.passing(Fault.FLIPPED_UPLOAD),
    ),
    "A bit flips on the way down": ("read again; a warning", damaged_once),
    "The copy of a checkpoint fails": (
        "training goes on, the next one is tried; a warning",
        background,
    ),
    "The server fails for longer": ("the stage fails and is started again later", outage),
    "The server cannot be reached": ("the same", unreachable),
    "The stored object is damaged": ("refused; the target stays as it was", damaged_at_rest),
    "The server damages all it is sent": ("refused", always_damaged),
    "Credentials expired": ("refused", lambda case: case.lasting(Fault.EXPIRED_CREDENTIALS)),
    "Access denied": ("refused", lambda case: case.lasting(Fault.FORBIDDEN)),
    "The clock is wrong": ("refused", lambda case: case.lasting(Fault.SKEWED_CLOCK)),
    "The bucket is full": ("refused", lambda case: case.lasting(Fault.FULL)),
    "This machine's disk is full": ("refused; the partial file is removed", full_disk),
    "The disk of a folder store is full": ("refused; the old object stays", full_folder),
}


@pytest.mark.parametrize("title", ROWS)
def test_every_fault_is_met_as_documented_and_loses_nothing(
    title: str,
    remote: S3Store,
    direct: S3Store,
    proxy: FaultyProxy,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(range(256)) * (44 << 10))  # three parts
    direct.put_bytes("before", BEFORE)
    remote.check()
    outcome, provoke = ROWS[title]
    said = provoke(Case(remote, direct, proxy, big, tmp_path, request))
    proxy.plan.clear()
    assert remote.get_bytes("before") == BEFORE
    assert row(title, outcome, said, remote, tmp_path) in DOCUMENT.read_text().splitlines()


def test_the_document_has_no_other_faults() -> None:
    lines = DOCUMENT.read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:] == [*ROWS]


def row(title: str, outcome: str, said: str, remote: S3Store, folder: Path) -> str:
    """A line of the table, with plain names for those of this test."""
    said = said.replace(remote.bucket, "bucket").replace(str(folder), "/data")
    said = re.sub(r"http://127\.0\.0\.1:\d+", "https://s3.example", said)
    said = re.sub(r"[0-9a-f]{64}", lambda match: f"{match[0][:6]}…", said)
    return f"| {title} | {outcome} | {said or '–'} |"
