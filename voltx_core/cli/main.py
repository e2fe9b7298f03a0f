"""`voltx`: the command line.

A command's module is imported when the command is needed, and imports torch or Prefect only when
it runs, so `voltx --help` answers at once. The library knows nothing of Prefect: commands that do
(`up`, `run`, ...) register themselves as entry points of the group ``voltx.commands``, where any
other package can add its own.
"""

from voltx_core.cli.discovery import CommandGroup

COMMANDS = {
    "plan": "voltx_core.cli.plan:plan",
    "status": "voltx_core.cli.status:status",
    "report": "voltx_core.cli.report:report",
    "tensorboard": "voltx_core.cli.tensorboard:tensorboard",
    "generate": "voltx_core.cli.generate:generate",
    "export": "voltx_core.cli.export:export",
    "copy": "voltx_core.cli.copy:copy",
    "judge": "voltx_core.cli.judge:judge",
    "data": "voltx_core.cli.data:data",
    "vincigpt": "voltx_core.cli.vincigpt:vincigpt",
    "doctor": "voltx_core.cli.doctor:doctor",
    "bench": "voltx_core.cli.bench:bench",
}
ORDER = (
    "run",
    "status",
    "report",
    "tensorboard",
    "generate",
    "export",
    "copy",
    "judge",
    "plan",
    "data",
    "vincigpt",
    "doctor",
    "up",
    "worker",
    "down",
    "bench",
)
"""Most wanted first; commands of other packages follow."""


def group() -> CommandGroup:
    """All commands, each imported when it is asked for."""
    return CommandGroup(
        name="voltx",
        commands_at=COMMANDS,
        entry_points="voltx.commands",
        order=ORDER,
        help=(
            "Train a code model end to end, and never lose work.\n\n"
            "Start with [b]voltx run --watch[/b]: it trains the whole graph on the embedded data "
            "in about 15 minutes. [b]voltx plan[/b] says beforehand what that would do; "
            "[b]voltx report[/b] what came of it."
        ),
    )


def main() -> None:
    """Run the command that the arguments name."""
    group()()


if __name__ == "__main__":
    main()
