"""A group of commands that are imported when they are needed."""

import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

Command = TyperCommand | TyperGroup


class CommandGroup(TyperGroup):
    """Commands by the place of their function, here or in the entry points of any package.

    Args:
        commands_at: ``{"plan": "voltx_core.cli.plan:plan"}``: functions, or Typer apps for groups.
        entry_points: Group of entry points that add commands.
        order: Names in the order of the help; others follow alphabetically.
    """

    def __init__(
        self,
        *,
        commands_at: Mapping[str, str],
        entry_points: str,
        order: Sequence[str] = (),
        **attributes: Any,
    ) -> None:
        super().__init__(
            no_args_is_help=True,
            rich_markup_mode="rich",
            context_settings={"help_option_names": ["--help", "-h"]},
            **attributes,
        )
        self._commands_at, self._entry_points, self._order = commands_at, entry_points, order
        self._places: dict[str, str] | None = None

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """Names of all commands, most wanted first."""
        del ctx
        names = self._all()
        first = [name for name in self._order if name in names]
        return [*first, *sorted(set(names) - set(first))]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Command | None:
        """Import one command; None when there is none of that name."""
        del ctx
        place = self._all().get(cmd_name)
        return None if place is None else _load(cmd_name, place)

    def _all(self) -> dict[str, str]:
        if self._places is None:
            found = {point.name: point.value for point in _installed(self._entry_points)}
            self._places = {**found, **self._commands_at}
        return self._places


def _installed(group: str) -> Sequence[EntryPoint]:
    return tuple(entry_points(group=group))


def _load(name: str, place: str) -> Command:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, Command):
        return found
    if not isinstance(found, typer.Typer):
        app = typer.Typer(rich_markup_mode="rich", add_completion=False)
        app.command(name=name)(found)
        found = app
    command: Command = typer.main.get_command(found)
    command.name = name
    return command
