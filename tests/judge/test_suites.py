"""Published suites: every reference solution must pass in split form."""

import gzip
import json
import os
from pathlib import Path

import pytest

from voltx_core.judge import Limits, Program

DATA = Path(os.environ.get("VOLTX_DATA_DIR", "/nowhere"))
LIMITS = Limits(cpu_s=10.0, wall_s=120.0)

needs_data = pytest.mark.skipif(
    "VOLTX_DATA_DIR" not in os.environ, reason="VOLTX_DATA_DIR is unset: no published suites here"
)


def rows(path: Path) -> list[dict]:
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@needs_data
def test_every_human_eval_reference_passes(judge):
    programs = [
        Program(
            id=row["task_id"],
            code=row["prompt"] + row["canonical_solution"],
            tests=(f"{row['test']}\ncheck({row['entry_point']})",),
            entry_point=row["entry_point"],
            limits=LIMITS,
        )
        for row in rows(DATA / "humaneval/HumanEval.jsonl.gz")
    ]
    verdicts = judge.run(programs)
    assert [(v.id, v.detail) for v in verdicts if not v.passed] == []


@needs_data
def test_mbpp_references_pass_but_for_rows_that_hand_over_objects(judge):
    programs = [
        Program(
            id=str(row["task_id"]),
            code=row["code"],
            tests=tuple(row["test_list"]),
            setup=row["test_setup_code"],
            # task 126 is named like a builtin, which only an entry point may be
            entry_point="sum" if row["task_id"] == 126 else None,
            limits=LIMITS,
        )
        for row in rows(DATA / "mbpp/mbpp.jsonl.gz")
    ]
    verdicts = judge.run(programs)
    failed = [verdict.id for verdict in verdicts if not verdict.passed]
    assert len(programs) - len(failed) >= 960
    assert set(failed) <= {"367", "533", "601", "927"}
