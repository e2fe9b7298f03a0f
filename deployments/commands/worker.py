"""`voltx worker`: let this machine work for a graph elsewhere."""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import console, explained

if TYPE_CHECKING:
    from deployments.attendance import Bell
    from deployments.local import Up

Tell = Callable[[str], None]

Pools = Annotated[
    list[str],
    typer.Option(
        "--pool",
        metavar="cpu|gpu|multi-gpu",
        help="What to work for. May be repeated.",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="The server, as `voltx up --role server` names it; default: PREFECT_API_URL.",
    ),
]
Stays = Annotated[
    bool,
    typer.Option(
        "--stay",
        help="Stay in the foreground; on SIGTERM, Ctrl-C or when the terminal hangs up let stages "
        "save, leave the pools, end.",
    ),
]
Idle = Annotated[
    float | None,
    typer.Option(
        "--idle-minutes",
        min=0,
        help="With --stay: end as well when nothing ran for so long.",
    ),
]
Price = Annotated[
    float | None,
    typer.Option(
        "--usd-per-hour",
        min=0,
        help="With --stay: what this machine costs, for the account at the end; default: the "
        "dearest of its pools by cost.rates_usd_per_hour.",
    ),
]


@explained()
def worker(
    pools: Pools,
    server: Server = None,
    stay: Stays = False,
    idle_minutes: Idle = None,
    usd_per_hour: Price = None,
) -> None:
    """Join pools of a graph that runs elsewhere.

    VOLTX_STORE names the store that all machines share, PREFECT_API_AUTH_STRING the password of
    the server; cache and work in progress are under VOLTX_HOME (./.voltx). The code is what is
    installed here. A stage whose machine is lost goes on here from its newest checkpoint in the
    store. Without --stay the worker goes on in the background until `voltx down`.

    Examples:

      voltx up --role server --listen 10.0.0.1            on the machine of the graph

      VOLTX_STORE=s3://bucket/prefix \\
        voltx worker --pool gpu --server http://10.0.0.1:4200     on each of the others

      voltx worker --pool gpu --stay --idle-minutes 20    on a rented one

      voltx down                                          save, leave, and stop
    """
    from deployments.attendance import listening
    from deployments.departure import take_down
    from deployments.local import bring_up
    from deployments.pools import named
    from voltx_core.errors import ConfigError

    if not stay and (idle_minutes is not None or usd_per_hour is not None):
        raise ConfigError("--idle-minutes and --usd-per-hour are for a worker that stays: --stay.")
    serve = tuple(dict.fromkeys(named(pool) for pool in pools))
    if server is not None:
        os.environ["PREFECT_API_URL"] = f"{server.rstrip('/').removesuffix('/api')}/api"
    tell = _telling()
    with listening() as bell:
        services = bring_up(tell, serve=serve)
        try:
            _joined(services, tell)
            if stay and not bell.rung:
                _attend(services, bell, tell, idle_minutes, usd_per_hour)
        finally:  # whoever started this destroys the machine next, whatever went wrong here
            if stay or bell.rung:
                for what in take_down(tell):
                    tell(f"Stopped {what}")
    if not (stay or bell.rung):
        tell("Stop: [b]voltx down[/] saves the progress of stages at work and leaves")


def _telling() -> Tell:
    """Prints; when the terminal is gone goes on in silence, since stages have to be saved then."""
    out = console()

    def tell(text: str) -> None:
        # Rich ends the process by SystemExit where a pipe is closed.
        with contextlib.suppress(OSError, SystemExit):
            out.print(text, soft_wrap=True)

    return tell


def _joined(services: "Up", tell: Tell) -> None:
    wanted, done = services.running.wanted, "Joined" if services.started else "Had joined"
    tell(f"{done} {', '.join(wanted.pools)} of {wanted.api_url}")
    tell(f"Results go to {wanted.store}")
    for name, identity in services.running.alive().items():
        tell(f"Runs    {name} (pid {identity.pid}), log {services.log(name)}")


def _attend(
    services: "Up",
    bell: "Bell",
    tell: Tell,
    idle_minutes: float | None,
    usd_per_hour: float | None,
) -> None:
    """Stay until there is a reason to leave, and say what the machine cost."""
    from pathlib import Path

    from deployments.attendance import at_work, attend
    from deployments.services import Running
    from voltx_core.config.machine import CostConfig
    from voltx_core.report.formatting import duration, money

    wanted = services.running.wanted
    home, rates = Path(wanted.home), CostConfig().rates_usd_per_hour
    tell("Stays until SIGTERM" + (f" or {idle_minutes:g} idle minutes" if idle_minutes else ""))
    spent = attend(
        bell,
        busy=lambda: at_work(home),
        alive=lambda: (running := Running.load(home)) is not None and bool(running.alive()),
        idle_s=None if idle_minutes is None else 60 * idle_minutes,
    )
    price = usd_per_hour
    if price is None:
        price = max(rates[pool.removeprefix("voltx-")] for pool in wanted.pools)
    total, idle = spent.cost_usd(price)
    why = {"asked": "asked to", "idle": "nothing to do", "down": "its services were taken down"}
    tell(
        f"Leaving: {why[spent.end]}. Here for {duration(spent.up_s)}, at work for "
        f"{duration(spent.busy_s)}: {money(total)} at {money(price)} an hour, {money(idle)} of it "
        "idle."
    )
