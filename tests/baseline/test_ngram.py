"""Programs from counting: what is always the same is learned, what was asked for is not."""

import math

import pytest
import torch

from voltx_core.baseline.ngram import NgramWriter
from voltx_core.data.problem import Problem
from voltx_core.translator.tokenizer import CodeTokenizer

SOLUTION = "def solve(x):\n    return x + 1"


def problem(number: int, query: str, solution: str = SOLUTION) -> Problem:
    return Problem(id=str(number), query=query, solution=solution, tests=())


@pytest.fixture(scope="module")
def tokenizer() -> CodeTokenizer:
    return CodeTokenizer.train([f"add one\n{SOLUTION}"] * 3, 320)


def test_the_only_program_it_ever_saw_is_what_it_writes(tokenizer) -> None:
    writer = NgramWriter([problem(n, f"add {n}") for n in range(9)], tokenizer, limit=120)
    assert writer.write(["add 3", "something else altogether"]) == [SOLUTION, SOLUTION]


def test_samples_are_drawn_from_what_was_counted_and_repeat_with_their_generator(
    tokenizer,
) -> None:
    other = SOLUTION.replace("x + 1", "x - 1")
    lessons = [problem(n, "change it", SOLUTION if n % 2 else other) for n in range(20)]
    writer = NgramWriter(lessons, tokenizer, limit=120)

    def drawn(seed: int) -> list[str]:
        source = torch.Generator().manual_seed(seed)
        return writer.write(["change it"] * 40, temperature=0.3, top_p=0.95, generator=source)

    assert drawn(1) == drawn(1)
    assert {SOLUTION, other} <= set(drawn(1))


def test_its_loss_is_that_of_solutions_only(tokenizer) -> None:
    lessons = [problem(n, "add one") for n in range(9)]
    writer = NgramWriter(lessons, tokenizer, limit=120)
    seen = writer.held_out_loss(lessons)
    # A query of other words costs nothing: only what follows it is scored.
    assert writer.held_out_loss([problem(0, "zzz qqq xxx", SOLUTION)]) < seen + 1.0
    unlike = writer.held_out_loss([problem(0, "add one", "import zlib\nzlib.crc32(b'')")])
    assert 0 < seen < unlike < math.inf


def test_programs_end_at_the_limit(tokenizer) -> None:
    writer = NgramWriter([problem(0, "x", "a " * 40)], tokenizer, limit=120)
    assert len(writer.write(["x"])[0]) <= 240
