"""The problem: a request in words, a reference solution, executable tests.

One JSON object per line of a ``.jsonl`` file:
``{"id", "query", "solution", "tests": [...], "language"?, "difficulty"?, "source"?}``.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["python", "javascript", "java", "rust", "go"]
LANGUAGES: tuple[Language, ...] = ("python", "javascript", "java", "rust", "go")


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioTest:
    """One run of a whole program: what it reads and what it must print."""

    stdin: str
    stdout: str


Test = str | StdioTest
"""An executable snippet (asserts, in the problem's language) or a stdin/stdout pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A task with its reference solution and its tests.

    ``entry_point`` names the function the tests call; None for whole programs.
    ``setup`` is code that runs before the candidate (imports the data set presumes).
    ``traits`` holds facts a splitter or a report needs: composition, level, phrasing, licence.
    """

    id: str
    query: str
    solution: str
    tests: tuple[Test, ...]
    language: Language = "python"
    difficulty: str | None = None
    source: str | None = None
    entry_point: str | None = None
    setup: str = ""
    traits: dict[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What is asked for, however it is put; problems of one task are not independent."""
        spec = self.traits.get("task_spec")
        return self.id if spec is None else json.dumps(spec)
