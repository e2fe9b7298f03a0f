"""`voltx worker`: let this machine work for a graph elsewhere."""

from typing import Annotated

import typer

from voltx_core.cli.options import console, explained

Pools = Annotated[
    list[str],
    typer.Option(
        "--pool",
        metavar="NAME",
        help="What to work for: voltx-cpu, voltx-gpu or voltx-multi-gpu. May be repeated.",
    ),
]


@explained()
def worker(pools: Pools) -> None:
    """Join pools of a graph that runs elsewhere, in the background.

    PREFECT_API_URL names its server, VOLTX_STORE the store that all machines share; cache and
    work in progress are under VOLTX_HOME (./.voltx). A stage whose machine is lost goes on here
    from its newest checkpoint in the store.

    Examples:

      voltx up --pools several --listen 10.0.0.1            on the machine of the graph

      PREFECT_API_URL=http://10.0.0.1:4200/api VOLTX_STORE=s3://bucket/prefix \\
        voltx worker --pool voltx-gpu                       on each of the others

      voltx down                                            save, leave, and stop
    """
    from deployments.local import bring_up

    out = console()
    services = bring_up(out.print, serve=tuple(dict.fromkeys(pools)))
    wanted, done = services.running.wanted, "Joined" if services.started else "Had joined"
    out.print(f"{done} {', '.join(wanted.pools)} of {wanted.api_url}", soft_wrap=True)
    out.print(f"Results go to {wanted.store}", soft_wrap=True)
    for name, identity in services.running.alive().items():
        out.print(f"Runs    {name} (pid {identity.pid}), log {services.log(name)}", soft_wrap=True)
    out.print("Stop: [b]voltx down[/] saves the progress of stages at work and leaves")
