"""What a run costs: every machine from its first stage to its last sign of life, idle time too.

A rented machine is paid for while it waits as well, and stages that share one are not paid for
twice. So an account goes by machines: the hours from the first start to the last sign of work on
each, at the rate of its kind. One that was off in between is two.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from voltx_core.config.machine import CostConfig
from voltx_core.errors import BudgetError
from voltx_core.stages.contract import Pool, StopFlag
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.timings import covered

logger = logging.getLogger(__name__)

LOOK_S = (0.5, 15.0)
"""Shortest and longest time between two looks at the account of a run under a budget."""
SILENCE_S = 60.0
"""After its last sign of work, how long an attempt that recorded no end may still be at work."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One attempt at a stage on one machine."""

    host: str
    kind: Pool
    start: datetime
    end: datetime
    boot: str = ""
    """Which life of the machine: nobody pays for the time between two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One life of a machine of a run: how long it was there, and how much of that it worked."""

    host: str
    kind: Pool
    usd_per_hour: float
    there_s: float
    busy_s: float

    @property
    def paid_usd(self) -> float:
        return self.there_s / 3600 * self.usd_per_hour

    @property
    def idle_usd(self) -> float:
        """The part of it during which no stage was at work."""
        return (self.there_s - self.busy_s) / 3600 * self.usd_per_hour


@dataclass(frozen=True, slots=True)
class Account:
    """What a run has cost."""

    machines: tuple[Machine, ...]

    @property
    def paid_usd(self) -> float:
        return sum(machine.paid_usd for machine in self.machines)

    @property
    def idle_usd(self) -> float:
        return sum(machine.idle_usd for machine in self.machines)

    @property
    def usd_per_hour(self) -> float:
        """Of all its machines together."""
        return sum(machine.usd_per_hour for machine in self.machines)


def account(spells: Sequence[Spell], rates_usd_per_hour: Mapping[str, float]) -> Account:
    """Add up the machines of some spells of work.

    Args:
        spells: Attempts, of any number of stages.
        rates_usd_per_hour: Price of an hour of each kind of machine.
    """
    machines = []
    for host, boot in dict.fromkeys((spell.host, spell.boot) for spell in spells):
        mine = [spell for spell in spells if (spell.host, spell.boot) == (host, boot)]
        kind = max((spell.kind for spell in mine), key=lambda k: rates_usd_per_hour.get(k, 0.0))
        there = max(s.end for s in mine) - min(s.start for s in mine)
        machines.append(
            Machine(
                host=host,
                kind=kind,
                usd_per_hour=rates_usd_per_hour.get(kind, 0.0),
                there_s=there.total_seconds(),
                busy_s=covered((s.start, s.end) for s in mine),
            )
        )
    return Account(tuple(machines))


def spells(
    run: Mapping[str, Any], *, now: datetime | None = None, at_work: str | None = None
) -> list[Spell]:
    """Every attempt in the record of a run; one that recorded no end counts to its last sign.

    Args:
        run: As ``RunRecord.read`` returns it.
        now: The moment, for a run that goes on. What is called running counts until then, but not
            longer than ``SILENCE_S`` after its last sign: it may be dead.
        at_work: A stage that is known to be at work; it counts until ``now``.
    """
    found = []
    for name, record in run["records"].items():
        if not record or record.get("state") == "reused":
            continue
        for attempt in (*record.get("earlier", ()), record):
            end = attempt.get("finished_at") or attempt.get("alive_at")
            if attempt is record and now is not None and record.get("state") == "running":
                last = datetime.fromisoformat(end) + timedelta(seconds=SILENCE_S) if end else now
                end = (now if name == at_work else min(now, last)).isoformat()
            if attempt.get("started_at") and end and attempt.get("kind"):
                start = datetime.fromisoformat(attempt["started_at"])
                ended = max(start, datetime.fromisoformat(end))
                host, boot = attempt.get("host") or "", attempt.get("boot") or ""
                found.append(Spell(host, attempt["kind"], start, ended, boot))
    return found


def spent(record: RunRecord, cost: CostConfig, *, at_work: str | None = None) -> Account:
    """What a run has cost up to now; see ``spells``."""
    run = record.read() or {"records": {}}
    found = spells(run, now=datetime.now(UTC), at_work=at_work)
    return account(found, cost.rates_usd_per_hour)


def tell(record: RunRecord, cost: CostConfig) -> None:
    """Say in the log what the run has cost up to here; nothing depends on it."""
    try:
        now = spent(record, cost)
    except Exception as error:
        logger.warning("The account of the run cannot be read just now: %s", error)
    else:
        logger.info("The run has cost $%.2f so far, $%.2f of it idle", now.paid_usd, now.idle_usd)


def refuse_when_spent(record: RunRecord, cost: CostConfig, what: str) -> None:
    """Start nothing more for a run whose budget is spent.

    Raises:
        BudgetError: It is.
    """
    if cost.budget_usd is None:
        return
    paid = spent(record, cost).paid_usd
    if paid >= cost.budget_usd:
        raise BudgetError(f"{what} did not start. {_spoken(paid, cost.budget_usd)}")


class Meter:
    """Asks a stage to save and leave as soon as the budget of its run is spent.

    Args:
        record: Of the run.
        cost: Its budget and rates; without a budget nothing is looked at.
        stop: Set when the money is spent.
        stage: Which this process works on.

    Attributes:
        why: What to tell the user, once it has fired.
    """

    def __init__(self, record: RunRecord, cost: CostConfig, stop: StopFlag, stage: str) -> None:
        # A record of its own: another thread publishes through the stage's.
        self._record = RunRecord(record.artifacts, record.run_id)
        self._cost, self._stop, self._stage = cost, stop, stage
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)
        self.why: str | None = None

    def __enter__(self) -> Self:
        if self._cost.budget_usd is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(timeout=LOOK_S[1])

    def _watch(self) -> None:
        budget = self._cost.budget_usd
        assert budget is not None
        told = 0
        while True:
            pause_s = LOOK_S[1]
            try:
                now = spent(self._record, self._cost, at_work=self._stage)
            except Exception as error:  # a budget that nobody watches is none
                logger.warning("The account of the run cannot be read just now: %s", error)
            else:
                if now.paid_usd >= budget:
                    self.why = _spoken(now.paid_usd, budget)
                    self._stop.set(f"the budget of ${budget:,.2f} is spent")
                    return
                tenths = int(10 * now.paid_usd / budget)
                if tenths > told:
                    told = tenths
                    logger.info("The run has cost $%.2f of $%.2f", now.paid_usd, budget)
                rate = max(now.usd_per_hour, 1e-9) / 3600
                pause_s = min(max((budget - now.paid_usd) / rate, LOOK_S[0]), LOOK_S[1])
            if self._end.wait(pause_s):
                return


def _spoken(paid_usd: float, budget_usd: float) -> str:
    return (
        f"The run has cost ${paid_usd:,.2f}, and cost.budget_usd is ${budget_usd:,.2f}. Progress "
        "is saved. To go on from there, run again (a run has a budget of its own): finished "
        "stages are reused, the others go on from their last checkpoint."
    )
