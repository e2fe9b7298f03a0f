"""The dispatcher: carries one stage through as many attempts as it takes.

It runs as a light task of the parent flow; the stage itself runs in a child flow run, in its own
process, on the pool that its spec names.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed

from tasks import children
from tasks.outages import insistently
from tasks.pulse import Listener, key_of
from tasks.run import Run
from voltx_core.errors import BudgetError, StageError, StoreError
from voltx_core.stages import graph
from voltx_core.stages.contract import StageSpec
from voltx_core.stages.lifecycle import Finished, execute
from voltx_core.stages.planning import plan
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

logger = logging.getLogger("voltx_core.dispatch")

T = TypeVar("T")

Waits = tuple[PrefectFuture[Any], ...]
"""What a later stage waits for; a stage that is left out passes on what it would wait for."""

ATTEMPTS = 3
"""Failures in one place after which a stage is given up."""
CRASHES = 8
"""The same for processes that vanished: machines are taken away, and that is no error."""
BACK_OFF_S = (2.0, 20.0)
"""Between failures; what fails may need a moment to mend."""
CRASH_PAUSE_S = (0.0, 1.0, 5.0, 10.0)
"""Between crashes in one place: a process that was killed has nothing to wait for at first."""
INTERRUPTED = "Interrupted"
REFUSED = "Refused"
"""Name of a final state: settings or data are wrong, and trying again would not mend them."""
SPENT = "Spent"
"""The same: the budget of the run is spent, and progress is saved."""


def run_stage(run: Run, name: str, title: str, *after: Waits) -> Waits:
    """Submit one stage of the graph.

    Args:
        run: The run of the graph.
        name: The stage.
        title: Its node in the picture, such as "2 · soft core".
        after: The stages that come before it.

    Returns:
        What the stages after it wait for.
    """
    waits = tuple(dict.fromkeys(future for earlier in after for future in earlier))
    if name not in run.stages:
        return waits
    return (dispatch.with_options(task_run_name=title).submit(run, name, wait_for=waits),)


@task(name="stage", cache_policy=NO_CACHE, persist_result=False)
def dispatch(run: Run, name: str) -> State[Any]:
    """Make sure that the result of a stage exists; see the module.

    Raises:
        StageError: The stage failed too often.
    """
    spec = graph.specs()[name]
    workspace = Workspace.open()
    if run.rehearse_s is None and name not in run.force:
        reused = insistently(partial(_reuse, run, name, workspace))
        if reused is not None:
            return Completed(name="Reused", message=f"committed {reused.manifest.created_at}")
    record = RunRecord(workspace.artifacts, run.run_id)

    def note(**facts: str) -> None:
        record.stage(name, **facts)

    def queue() -> None:
        if "started_at" not in record.of(name):  # of what has begun, other words are truer
            note(state="queued", why="waits for a worker of its pool to be free")

    with get_client(sync_client=True) as client:

        def attempt(number: int) -> State[Any]:
            _outlive(queue)
            child = children.start(client, children.Attempt(run, spec, number))
            pulse = Listener(workspace.artifacts, key_of(run.run_id, name), flow_run=str(child))
            return children.follow(client, child, pulse=pulse, warn=logger.warning)

        def reached() -> int:
            fingerprint = record.of(name).get("fingerprint")
            saved = workspace.artifacts.progress_steps(name, fingerprint) if fingerprint else ()
            return max(saved, default=0)

        return persist(spec, attempt, note=note, reached=reached, sleep=time.sleep, age=_age_s)


def persist(
    spec: StageSpec,
    attempt: Callable[[int], State[Any]],
    *,
    note: Callable[..., None],
    reached: Callable[[], int],
    sleep: Callable[[float], None],
    age: Callable[[State[Any]], float],
    clock: Callable[[], float] = time.monotonic,
) -> State[Any]:
    """Try until the stage is done, cancelled, or has failed too often in one place.

    An interruption (the machine was taken away, progress is saved) is nobody's fault and never
    counts. A failure or crash counts, and the count begins again when an attempt came further
    than all before it: a stage of many hours may lose its machine many times.

    Args:
        spec: The stage.
        attempt: Carries out the n-th attempt and returns how it ended.
        note: Writes state and reason into the record of the stage.
        reached: Sequence number of the newest checkpoint, 0 without any.
        sleep: Between attempts.
        age: Seconds since a state was entered. A restarted parent finds attempts that ended before
            it began; how far each of them came is not known any more, so they do not count.
        clock: Monotonic seconds.

    Raises:
        StageError: Too many attempts ended in one place; quotes the last error and says what to
            do.
        BudgetError: The budget of the run is spent.
    """
    began = clock()
    errors: list[str] = []
    crashes, furthest = 0, 0
    for number in count(1):
        state = attempt(number)
        if state.is_completed():
            return Completed(message=state.message)
        if state.is_cancelled():
            _outlive(partial(note, state="cancelled", why=state.message or "cancelled"))
            return Cancelled(message=state.message)
        if state.name == INTERRUPTED:
            logger.info("%s %s goes on after: %s", spec.number, spec.title, state.message)
            continue
        if state.name == REFUSED:
            why = reason(state)
            _outlive(partial(note, state="failed", why=why))
            raise StageError(f"Stage {spec.number} {spec.name} refuses its input: {why}")
        if state.name == SPENT:
            raise BudgetError(reason(state))
        if age(state) > clock() - began:
            logger.info(
                "%s %s, attempt %s ended before: %s", spec.number, spec.title, number, state
            )
            continue
        if (place := _outlive(reached) or 0) > furthest:
            furthest, errors, crashes = place, [], 0
        errors.append(reason(state))
        crashes += state.is_crashed()
        given_up = len(errors) - crashes >= ATTEMPTS or crashes >= CRASHES
        logger.warning(
            "%s %s, attempt %s (%s failures, %s crashes in this place): %s",
            spec.number,
            spec.title,
            number,
            len(errors) - crashes,
            crashes,
            errors[-1],
        )
        if given_up:
            why = _why(spec, errors)
            _outlive(partial(note, state="failed", why=errors[-1]))
            raise StageError(why)
        pauses = CRASH_PAUSE_S if state.is_crashed() else BACK_OFF_S
        pause_s = pauses[min(len(errors), len(pauses)) - 1]
        soon = f"in {pause_s:.0f} s, after: {errors[-1]}"
        _outlive(partial(note, state="retrying", why=soon))
        sleep(pause_s)
    raise AssertionError("count() never ends")


def _age_s(state: State[Any]) -> float:
    return max(0.0, (datetime.now(UTC) - state.timestamp).total_seconds())


def _outlive(call: Callable[[], T]) -> T | None:
    """Call the store; one that is away costs a warning, never the stage that works elsewhere."""
    try:
        return call()
    except StoreError as error:
        logger.warning("The record of the stage is behind: %s", error)
        return None


def reason(state: State[Any]) -> str:
    """Why a run ended as it did, without the frames that Prefect puts around an exception."""
    text = state.message or state.name or state.type.value
    for frame in ("Flow run encountered an exception: ", "Task run encountered an exception "):
        text = text.removeprefix(frame)
    return text.removeprefix("StageError: ").removeprefix("BudgetError: ")


def _reuse(run: Run, name: str, workspace: Workspace) -> Finished | None:
    """The result of a stage, when there is one already; that needs no process of its own."""
    record = RunRecord(workspace.artifacts, run.run_id)
    settled = {n: f for n, f in record.fingerprints().items() if n != name}
    ancestry = graph.select(only=[name])
    planned = plan(run.config(), workspace.artifacts, stages=ancestry, pinned=settled)
    if planned[name].manifest is None:
        return None
    return execute(name, run.config(), workspace, run_id=run.run_id)


def _why(spec: StageSpec, errors: Sequence[str]) -> str:
    same = max(Counter(errors).values()) == len(errors)
    what = "with the same error" if same else "with different errors"
    listed = errors[-1] if same else "\n".join(f"  {n}. {e}" for n, e in enumerate(errors, 1))
    remedy = (
        "The same error again and again is not chance: it needs a change. Its log is in the UI "
        "under the failed run; `voltx doctor` checks this machine."
        if same
        else "See the logs of the failed runs in the UI; `voltx doctor` checks this machine."
    )
    return (
        f"Stage {spec.number} {spec.name} failed {len(errors)} times {what}:\n{listed}\n{remedy} "
        "Then run the graph again: finished stages are reused and this one goes on from its last "
        "checkpoint."
    )
