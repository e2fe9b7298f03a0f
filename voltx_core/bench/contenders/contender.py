"""What every contender is given and gives back."""

from typing import NamedTuple, Protocol


class Script(NamedTuple):
    """A solution and the tests that decide about it; everything is trusted in a bench.

    ``source`` is the two as one module, which fails by raising.
    """

    id: str
    code: str
    tests: tuple[str, ...]
    entry_point: str | None
    setup: str

    @property
    def source(self) -> str:
        return "\n".join((self.setup, self.code, *self.tests, ""))


class Seen(NamedTuple):
    """One script's verdict and the seconds from its start to its verdict."""

    passed: bool
    wall_s: float


class Absent(Exception):
    """This contender cannot run here; the message says why."""


class Contender(Protocol):
    """Made as ``Class(name, workers)``, which raises ``Absent`` where it cannot run."""

    def run(self, scripts: list[Script]) -> list[Seen]:
        """Judge all of them, ``workers`` at a time, in order of the list."""
        ...

    def slots(self) -> list[int]:
        """Process ids of the warm slots, if it keeps any."""
        ...

    def close(self) -> None: ...
