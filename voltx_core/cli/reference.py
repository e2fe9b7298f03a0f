"""The reference of all commands, made from the commands themselves.

python -m voltx_core.cli.reference > docs/commands.md
"""

import re
from importlib import import_module
from typing import Any

import typer

from voltx_core.cli.main import group

_EXAMPLES = re.compile(r"(?:^  \S.*\n\n?)+", re.MULTILINE)


def render() -> str:
    """Every command with its help and options as Markdown."""
    commands: Any = group()
    context = typer.Context(commands, info_name="voltx")
    # Imported late: it brings a command line of its own.
    docs = import_module("typer.cli").get_docs_for_click
    text = docs(obj=commands, ctx=context, name="voltx", title="Commands")
    text = re.sub(r"\[/?(?:b|bold)\]", "**", text)
    return _EXAMPLES.sub(_as_block, text).strip() + "\n"


def _as_block(found: re.Match[str]) -> str:
    """Examples, which are indented and apart in the help, as one block."""
    lines = [line[2:] for line in found[0].splitlines() if line]
    return "\n".join(["```", *lines, "```", "", ""])


if __name__ == "__main__":
    print(render(), end="")
