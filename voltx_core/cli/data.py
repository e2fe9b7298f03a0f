"""`voltx data ...`: bring data here, look at it, and check that all of it is there."""

from voltx_core.cli.discovery import CommandGroup

COMMANDS = {
    "verify": "voltx_core.cli.data_verify:verify",
    "fetch": "voltx_core.cli.data_fetch:fetch",
    "harvest": "voltx_core.cli.data_corpus:harvest",
    "stats": "voltx_core.cli.data_corpus:stats",
    "convert": "voltx_core.cli.data_convert:convert",
}

data = CommandGroup(
    name="data",
    commands_at=COMMANDS,
    entry_points="voltx.data",
    order=tuple(COMMANDS),
    help=(
        "Bring data here, look at it, and check that all of it is there.\n\n"
        "Nothing of this is needed to begin: without data sets the corpus is the Python sources "
        "on this machine and problems are generated. [b]voltx data verify --preset cloud[/b] says "
        "what a larger preset wants and how to get it."
    ),
)
