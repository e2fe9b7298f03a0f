"""The abstract task: a chain of operations, independent of any programming language."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from voltx_core.data.generator.families.catalogue import FAMILIES
from voltx_core.data.generator.families.constants import WIDE
from voltx_core.data.generator.families.family import Family, Kind, Undefined, within_bounds
from voltx_core.errors import DataError

MAX_DEPTH = 3


@dataclass(frozen=True)
class Step:
    """One operation with its constant, if it has one."""

    name: str
    constant: int | None = None

    @property
    def family(self) -> Family:
        return FAMILIES[self.name]


@dataclass(frozen=True)
class Task:
    """One to three operations; the output of each feeds the next."""

    steps: tuple[Step, ...]

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    @property
    def composition(self) -> str:
        """The families in order: ``keep_even>square>sum``."""
        return ">".join(self.families)

    @property
    def takes(self) -> Kind:
        return self.steps[0].family.takes

    @property
    def gives(self) -> Kind:
        return self.steps[-1].family.gives

    @cached_property
    def key(self) -> str:
        """The task in one line, constants included: ``keep_greater:5>sum``."""
        return ">".join(
            s.name if s.constant is None else f"{s.name}:{s.constant}" for s in self.steps
        )

    @cached_property
    def id(self) -> str:
        """A short stable name, the same in every language."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    def apply(self, value: Any) -> Any:
        """What the task makes of a value, by the families' own reference semantics.

        Raises:
            Undefined: where a step has no meaning for its input, or a value grows too large.
        """
        for step in self.steps:
            value = apply_step(step, value)
        return value

    def to_json(self) -> list[list[Any]]:
        """The task as JSON data: ``[["keep_greater", 5], ["sum", null]]``."""
        return [[step.name, step.constant] for step in self.steps]

    @classmethod
    def from_json(cls, spec: Any) -> "Task":
        """The task that ``to_json`` described.

        Raises:
            DataError: on an unknown family, a constant out of range or steps that do not fit.
        """
        rows = spec if isinstance(spec, list | tuple) else [None]
        if not all(map(_is_step, rows)):
            raise DataError(
                f"task spec {json.dumps(spec, default=str)[:200]} is not a list of "
                "[family, constant] pairs; use the value of traits['task_spec'] unchanged"
            )
        steps = tuple(Step(name, constant) for name, constant in rows)
        task = cls(steps)
        task.check()
        return task

    def check(self) -> None:
        """Raise ``DataError`` unless the steps exist, fit together and have proper constants."""
        if not 1 <= len(self.steps) <= MAX_DEPTH:
            raise DataError(f"a task has 1 to {MAX_DEPTH} steps, this one has {len(self.steps)}")
        for step in self.steps:
            if step.name not in FAMILIES:
                raise DataError(
                    f"operation family {step.name!r} does not exist; the names are those of "
                    "voltx_core.data.generator.FAMILIES"
                )
            own = step.family.constants
            if step.constant not in ((*own, *WIDE) if own else (None,)):
                allowed = f"one from {own[0]} to {WIDE[-1]}" if own else "none"
                raise DataError(
                    f"constant {step.constant!r} does not suit family {step.name!r}: it takes "
                    f"{allowed}"
                )
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if before.family.gives != after.family.takes:
                raise DataError(
                    f"{after.name!r} takes {after.family.takes} but {before.name!r} gives "
                    f"{before.family.gives}; put an operation between them that fits"
                )


def apply_step(step: Step, value: Any) -> Any:
    """What one step makes of a value; raises ``Undefined`` outside its domain."""
    family = FAMILIES[step.name]
    if step.constant is None:
        result = family.reference(value)
    else:
        result = family.reference(value, step.constant)
    if not within_bounds(result, family.gives):
        raise Undefined
    return result


def _is_step(row: Any) -> bool:
    """Whether JSON data has the form of one step: a name, an integer or null."""
    if not isinstance(row, list | tuple) or len(row) != 2:
        return False
    return isinstance(row[0], str) and (row[1] is None or type(row[1]) is int)
