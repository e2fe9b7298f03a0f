"""The judge: many programs over a few jailed slots, one thread, no polling."""

import os
import selectors
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from voltx_core.data.problem import Language
from voltx_core.errors import Interrupted, JudgeError
from voltx_core.judge.builds import BuildStore
from voltx_core.judge.cage.wire import DIED, FAULT
from voltx_core.judge.isolation import resolve_level
from voltx_core.judge.languages import readable_paths
from voltx_core.judge.program import Program, Verdict
from voltx_core.judge.slot import Reply, Slot, SlotLost
from voltx_core.judge.steps import StepsTrial
from voltx_core.judge.toolchain import NotRun, Toolchain, proven_recipe, python_toolchain
from voltx_core.judge.trial import Order, PythonTrial, Trial

_ATTEMPTS = 3
_PATIENCE_S = 20.0
_STOP_CHECK_S = 1.0
_PYTHON, _OTHER = "python", "other"


@dataclass
class _Case:
    """One program in flight."""

    index: int
    trial: Trial
    profile: str
    order: Order | None = None
    attempts: int = 0
    wall_s: float = 0.0
    started: float = 0.0
    faults: list[str] = field(default_factory=list)


class Judge:
    """Runs hostile programs and says which of them pass their tests.

    Slots start when first needed, stay warm between calls and are replaced when they die. One
    batch runs at a time; further threads wait.

    Args:
        workers: programs run side by side; the number of usable cores by default.
        level: ``auto`` for the strongest isolation that works here, or ``ns``, ``uid``,
            ``seccomp``, ``none``, which is then what is used or an error.
        allow_unsafe: without this, ``none`` is refused.

    Raises:
        JudgeError: the level does not work here, or is not safe and was not allowed.

    Example:
        >>> with Judge() as judge:
        ...     verdicts = judge.run([Program(id="1", code="def f(): return 1",
        ...                                   tests=("assert f() == 1",), entry_point="f")])
    """

    def __init__(
        self, *, workers: int | None = None, level: str = "auto", allow_unsafe: bool = False
    ) -> None:
        if workers is not None and workers < 1:
            raise JudgeError(f"workers is {workers}; a judge needs at least 1")
        self.level = resolve_level(level, allow_unsafe=allow_unsafe)
        self.workers = workers or len(os.sched_getaffinity(0))
        self._home = Path(tempfile.mkdtemp(prefix="voltx-judge-"))
        self._home.chmod(0o711)
        self._slots: dict[str, list[Slot]] = {_PYTHON: [], _OTHER: []}
        self.builds = BuildStore()
        self._count = 0
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove every file of this judge."""
        with self._lock:
            self._closed = True
            for slots in self._slots.values():
                for slot in slots:
                    slot.close()
                slots.clear()
            shutil.rmtree(self._home, ignore_errors=True)

    def run(
        self,
        programs: Sequence[Program],
        *,
        on_progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[Verdict]:
        """Judge the programs; verdicts come in their order.

        Args:
            programs: what to run; an empty sequence gives an empty list.
            on_progress: called with (judged, all) after every verdict.
            should_stop: asked after every verdict and about once a second.

        Returns:
            One verdict per program.

        Raises:
            JudgeError: the judge itself failed three times on one program; nothing was scored.
            Interrupted: ``should_stop`` said so; programs under way were ended.
        """
        with self._lock:
            if self._closed:
                raise JudgeError("this judge is closed; make a new one")
            return _Batch(self, programs, on_progress, should_stop).run()

    def _slots_for(self, profile: str, wanted: int) -> list[Slot]:
        """The profile's slots, at least ``wanted`` of them or as many as there are workers."""
        slots = self._slots[profile]
        fresh = [self._begin(profile) for _ in range(min(wanted, self.workers) - len(slots))]
        for slot in fresh:
            self._await(slot)
        slots += fresh
        return slots

    def _replace(self, profile: str, lost: Slot) -> Slot:
        slots = self._slots[profile]
        at = slots.index(lost)
        del slots[at]
        lost.kill()
        fresh = self._begin(profile)
        self._await(fresh)
        slots.insert(at, fresh)
        return fresh

    def _begin(self, profile: str) -> Slot:
        self._count += 1
        readable = readable_paths() if profile == _OTHER else ()
        return Slot(
            level=self.level,
            home=self._home,
            name=f"slot{self._count}",
            readable=readable,
            warm=profile == _PYTHON,
        )

    def _await(self, slot: Slot) -> None:
        try:
            slot.await_ready()
        except JudgeError as error:
            raise JudgeError(
                f"a slot of the judge does not start at level {self.level!r}: {error}; "
                "run `voltx doctor` to see which levels work here"
            ) from None

    def _trial(self, program: Program) -> tuple[Trial, str]:
        if program.language == "python":
            return PythonTrial(program), _PYTHON
        recipe = proven_recipe(program.language, self.level, self._execute)
        if isinstance(recipe, str):
            return NotRun(program, recipe), _OTHER
        return StepsTrial(program, recipe, self.builds), _OTHER

    def _execute(self, trials: Iterable[Trial]) -> list[Verdict]:
        """Run trials of other languages outside any batch: a toolchain's proof."""
        batch = _Batch(self, (), None, None)
        for trial in trials:
            batch.add(trial, _OTHER)
        return batch.run()

    def toolchain(self, language: Language) -> Toolchain:
        """Whether the language can be judged here, proven on a good and a bad program."""
        if language == "python":
            return python_toolchain()
        with self._lock:
            recipe = proven_recipe(language, self.level, self._execute)
        if isinstance(recipe, str):
            return Toolchain(language=language, available=False, version="", why=recipe)
        return Toolchain(language=language, available=True, version=recipe.version)


class _Batch:
    """One call of ``Judge.run``: hands cases to idle slots and gathers what they say."""

    def __init__(
        self,
        judge: Judge,
        programs: Sequence[Program],
        on_progress: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self._judge = judge
        self._on_progress, self._should_stop = on_progress, should_stop
        self._queues: dict[str, deque[_Case]] = {_PYTHON: deque(), _OTHER: deque()}
        self._verdicts: list[Verdict | None] = []
        self._judged = 0
        self._running: dict[Slot, _Case] = {}
        self._selector = selectors.DefaultSelector()
        for program in programs:
            self.add(*judge._trial(program))

    def add(self, trial: Trial, profile: str) -> None:
        self._queues[profile].append(_Case(len(self._verdicts), trial, profile))
        self._verdicts.append(None)

    def run(self) -> list[Verdict]:
        try:
            self._fill()
            while self._running or any(self._queues.values()):
                self._check_stop()
                if self._running:
                    self._wait()
                self._fill()
        except BaseException:
            self._abandon()
            raise
        finally:
            self._selector.close()
        return [verdict for verdict in self._verdicts if verdict is not None]

    def _fill(self) -> None:
        """Give every idle slot something to do."""
        for profile, queue in self._queues.items():
            busy = sum(case.profile == profile for case in self._running.values())
            # Not ahead of time: what runs now may be the very build that the next one needs.
            if busy == self._judge.workers or not self._prepare(queue):
                continue
            for slot in list(self._judge._slots_for(profile, busy + len(queue))):
                if not slot.busy and self._prepare(queue):
                    self._begin(slot, queue.popleft())

    def _prepare(self, queue: deque[_Case]) -> bool:
        """Whether the queue is headed by a case with an order; those without are finished."""
        while queue:
            case = queue[0]
            case.order = case.order or case.trial.next_order()
            if case.order:
                return True
            self._finish(queue.popleft())
        return False

    def _begin(self, slot: Slot, case: _Case) -> None:
        order = case.order
        assert order
        case.started = time.monotonic()
        self._running[slot] = case
        try:
            slot.submit(order.kind, order.content, order.wall_s, _PATIENCE_S)
        except SlotLost as lost:
            self._lose(slot, str(lost))
            return
        self._watch(slot)

    def _watch(self, slot: Slot) -> None:
        """Wait for the slot too; once seen, it stays watched until it is lost or surprises."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if slot.wants_to_write else 0)
        if slot.request not in self._selector.get_map():
            self._selector.register(slot.request, events, slot)
        elif slot.wants_to_write:
            self._selector.modify(slot.request, events, slot)
        if slot.brief and slot.report in self._selector.get_map():
            self._selector.unregister(slot.report)
        elif not slot.brief and slot.report not in self._selector.get_map():
            self._selector.register(slot.report, selectors.EVENT_READ, slot)

    def _unwatch(self, slot: Slot) -> None:
        for end in (slot.request, slot.report):
            if end in self._selector.get_map():
                self._selector.unregister(end)

    def _wait(self) -> None:
        left = min(slot.deadline for slot in self._running) - time.monotonic()
        if self._should_stop is not None:
            left = min(left, _STOP_CHECK_S)
        touched = {key.data for key, _ in self._selector.select(max(0.0, left))}
        for slot in touched - self._running.keys():
            self._unwatch(slot)  # it has died while idle, and says so for ever
        now = time.monotonic()
        for slot in list(self._running):
            if slot in touched:
                self._step(slot)
            elif now > slot.deadline:
                self._lose(slot, "the zygote did not end an overdue run")

    def _step(self, slot: Slot) -> None:
        wrote = slot.wants_to_write
        try:
            reply = slot.step()
        except SlotLost as lost:
            self._lose(slot, str(lost))
            return
        if reply is None:
            if wrote and not slot.wants_to_write:
                self._selector.modify(slot.request, selectors.EVENT_READ, slot)
            return
        if not reply.taken or reply.ending == FAULT:
            self._lose(slot, "the machine could not start the program")
            return
        case = self._running.pop(slot)
        if slot.spent:
            self._unwatch(slot)
            self._judge._replace(case.profile, slot)
        self._take(case, reply)

    def _take(self, case: _Case, reply: Reply) -> None:
        case.wall_s += time.monotonic() - case.started
        if reply.ending == DIED and case.attempts < _ATTEMPTS - 1 and reply.exit_code != -24:
            case.attempts += 1  # most likely the machine's doing (memory): see again
            self._queues[case.profile].appendleft(case)
            return
        assert case.order
        case.trial.take(case.order, reply)
        case.order = case.trial.next_order()
        if case.order:
            self._queues[case.profile].appendleft(case)
        else:
            self._finish(case)

    def _finish(self, case: _Case) -> None:
        self._verdicts[case.index] = case.trial.verdict(level=self._judge.level, wall_s=case.wall_s)
        self._judged += 1
        if self._on_progress:
            self._on_progress(self._judged, len(self._verdicts))

    def _lose(self, slot: Slot, why: str) -> None:
        """Replace a dead slot and queue its program again."""
        self._unwatch(slot)
        case = self._running.pop(slot)
        self._judge._replace(case.profile, slot)
        case.faults.append(why)
        if len(case.faults) >= _ATTEMPTS:
            raise JudgeError(
                f"program {case.index} of {len(self._verdicts)} could not be judged in "
                f"{_ATTEMPTS} attempts: {'; '.join(case.faults)}. Nothing was scored. Check free "
                "memory and processes on this machine, then run again"
            )
        self._queues[case.profile].appendleft(case)

    def _check_stop(self) -> None:
        if self._should_stop is not None and self._should_stop():
            raise Interrupted(
                f"judging stopped on request after {self._judged} of {len(self._verdicts)} "
                "programs; run them again to judge all"
            )

    def _abandon(self) -> None:
        """End what still runs, so that the judge is as good as new for the next batch."""
        for slot, case in list(self._running.items()):
            self._unwatch(slot)
            slots = self._judge._slots[case.profile]
            if slot in slots:
                slots.remove(slot)
                slot.kill()
        self._running.clear()
