"""Automations: what the server does about runs that died without a word.

A process that is killed is reported by its worker within seconds. These three cover the rest: the
worker or its whole machine is gone, the process never started, or the parent flow itself died.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.automations import AutomationCore

SILENCE_S = 90
"""Three missed heartbeats."""
START_S = 300
"""From accepted by a worker to running; a cold disk imports slowly."""
REVIVE_S = 30
"""A crashed parent flow gets this long to be revived by somebody else."""

ENDED = frozenset(
    f"prefect.flow-run.{state}"
    for state in ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling", "Interrupted")
)


def automations(parents: tuple[str, ...]) -> "list[AutomationCore]":
    """All automations of voltx.

    Args:
        parents: Names of the flows that are revived rather than replaced by their parent.
    """
    from prefect.automations import AutomationCore
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState

    return [
        AutomationCore(
            name="voltx: a silent run has crashed",
            description=f"No heartbeat for {SILENCE_S} s: its machine is gone.",
            trigger=_silence(
                after={"prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.heartbeat", *ENDED},
                within_s=SILENCE_S,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED, message=f"No sign of life for {SILENCE_S} s."
                )
            ],
        ),
        AutomationCore(
            name="voltx: a run that never started has crashed",
            description=f"Accepted by a worker, not running {START_S} s later.",
            trigger=_silence(
                after={"prefect.flow-run.Pending"},
                expect={"prefect.flow-run.Running", "prefect.flow-run.heartbeat", *ENDED},
                within_s=START_S,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED, message=f"Did not start within {START_S} s."
                )
            ],
        ),
        AutomationCore(
            name="voltx: a crashed graph goes on",
            description="The same flow run is scheduled again and finds its finished stages.",
            trigger=_silence(
                after={"prefect.flow-run.Crashed"},
                expect={
                    "prefect.flow-run.AwaitingRetry",
                    "prefect.flow-run.Scheduled",
                    "prefect.flow-run.Pending",
                    "prefect.flow-run.Running",
                    *(ENDED - {"prefect.flow-run.Crashed"}),
                },
                within_s=REVIVE_S,
                flows=parents,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.SCHEDULED,
                    name="AwaitingRetry",
                    message="The graph goes on where it was.",
                )
            ],
        ),
    ]


def _silence(
    *, after: set[str], expect: set[str], within_s: float, flows: tuple[str, ...] = ()
) -> Any:
    """Fires for a run of ours when ``expect`` does not follow ``after`` in time."""
    from prefect.automations import EventTrigger, Posture

    related: list[dict[str, Any]] = [
        {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.voltx"}
    ]
    if flows:
        related.append({"prefect.resource.role": "flow", "prefect.resource.name": list(flows)})
    return EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=related,
        for_each={"prefect.resource.id"},
        after=after,
        expect=expect,
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=within_s),
    )
