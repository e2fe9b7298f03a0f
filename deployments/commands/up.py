"""`voltx up`: server, pools, deployments and workers."""

from typing import Annotated

import typer

from voltx_core.cli.options import console, explained
from voltx_core.errors import ConfigError

Layout = Annotated[
    str | None,
    typer.Option(
        "--pools",
        metavar="one|several",
        help="[b]one[/b]: this machine runs every stage. [b]several[/b]: it runs the graph, and "
        "stages go to the pools voltx-cpu, voltx-gpu and voltx-multi-gpu, which other machines "
        "join by `voltx worker`. Default: as it is up, else one.",
    ),
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="ADDRESS",
        help="Address of this machine that the server listens on. Prefect asks for no password: "
        "name an address in a private network. Default: as it is up, else loopback only.",
    ),
]


@explained()
def up(layout: Layout = None, listen: Listen = None) -> None:
    """Start what runs need here: a Prefect server and workers, in the background.

    Does nothing that is done already. The server listens on this machine only unless told
    otherwise, on port 4200 or any free one; its database and logs are under VOLTX_HOME
    (./.voltx). With PREFECT_API_URL set, that server is used instead. A git-ignored prefect.toml
    is written here, so that the plain `prefect` command finds the server from this folder.

    Examples:

      voltx up

      prefect deployment run voltx/full -p preset=tiny

      prefect deployment run vincigpt/train -p preset=laptop

      voltx down
    """
    from deployments.local import bring_up
    from deployments.pools import CONTROL, served

    if layout not in (None, "one", "several"):
        raise ConfigError(f"--pools is one or several, not {layout!r}.")
    out = console()
    serve = served("one" if layout == "one" else "several") if layout else None
    services = bring_up(out.print, serve=serve, listen=listen)
    out.print("Up." if services.started else "Was up already.")
    out.print(f"UI      {services.ui_url}")
    for name, identity in services.running.alive().items():
        out.print(f"Runs    {name} (pid {identity.pid}), log {services.log(name)}", soft_wrap=True)
    if not services.reachable:
        out.print(
            "This folder has a prefect.toml of its own. For the plain prefect command: "
            f"export PREFECT_API_URL={services.api_url}",
            soft_wrap=True,
        )
    if services.running.wanted.pools == (CONTROL,):
        out.print(
            f"Others: [b]PREFECT_API_URL={services.api_url} VOLTX_STORE=... voltx worker --pool "
            "voltx-gpu[/]",
            soft_wrap=True,
        )
    out.print("Next: [b]prefect deployment run voltx/full[/], or [b]voltx run --watch[/]")
    out.print("Stop: [b]voltx down[/]")
