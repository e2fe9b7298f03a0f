"""`voltx up`: server, pools, deployments and workers."""

from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from deployments.pools import Layout

ROLES: dict[str, "Layout"] = {"all": "one", "server": "several"}
"""What this machine is, and the layout of pools that goes with it."""
Role = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="|".join(ROLES),
        help="[b]all[/b]: this machine runs every stage. [b]server[/b]: it runs the graph, and "
        "stages go to the pools cpu, gpu and multi-gpu, which other machines join by "
        "`voltx worker`. Default: as it is up, else all.",
    ),
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="ADDRESS",
        help="Address of this machine that the server listens on, in a private network. Anything "
        "but loopback wants a password in PREFECT_API_AUTH_STRING. Default: as it is up, else "
        "loopback only.",
    ),
]


@explained()
def up(role: Role = None, listen: Listen = None) -> None:
    """Start what runs need here: a Prefect server and workers, in the background.

    Does nothing that is done already. The server listens on this machine only unless told
    otherwise, on port 4200 or any free one; its database (SQLite, or the Postgres that
    PREFECT_API_DATABASE_CONNECTION_URL names) and logs are under VOLTX_HOME (./.voltx). With
    PREFECT_API_URL set, that server is used instead. A git-ignored prefect.toml is written here,
    so that the plain `prefect` command finds the server from this folder.

    Examples:

      voltx up

      prefect deployment run voltx/full -p preset=tiny

      prefect deployment run vincigpt/train -p preset=laptop

      voltx up --role server --listen 10.0.0.1       the machine of the graph, of several

      voltx down
    """
    from deployments.local import bring_up
    from deployments.pools import CONTROL, served

    if role is not None and role not in ROLES:
        raise ConfigError(f"--role is {' or '.join(ROLES)}, not {role!r}.")
    out = console()
    serve = None if role is None else served(ROLES[role])
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
            f"Others: [b]VOLTX_STORE=... voltx worker --pool gpu --server {services.ui_url}[/]",
            soft_wrap=True,
        )
    out.print("Next: [b]prefect deployment run voltx/full[/], or [b]voltx run --watch[/]")
    out.print("Stop: [b]voltx down[/]")
