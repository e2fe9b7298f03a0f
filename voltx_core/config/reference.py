"""The reference of all settings, made from the models themselves.

python -m voltx_core.config.reference > docs/configuration.md
"""

import json
import typing
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from voltx_core.config.presets import PRESET_NAMES, SUMMARIES
from voltx_core.config.resolve import resolve
from voltx_core.config.schema import VoltxConfig
from voltx_core.config.section import Section

SAME = "·"
"""The preset leaves the plan's own value."""


def render() -> str:
    """The whole reference as Markdown."""
    presets = {
        str(name): resolve(name, environ={}).model_dump(mode="json") for name in PRESET_NAMES
    }
    return "\n".join([*_head(), *_section(VoltxConfig, "", presets)]) + "\n"


def _head() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Every setting has a dotted key: `voltx run --set soft_core.steps=900`. The plan's own"
    yield f"values are those of `cloud`; a preset that differs says so, `{SAME}` means the same. A"
    yield "misspelt key is refused with the nearest right one."
    yield ""
    for name, text in SUMMARIES.items():
        yield f"- `{name}`: {text}"
    yield ""


def _section(
    section: type[Section], prefix: str, presets: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """The settings of a section as a table, then the sections in it."""
    plain = {n: f for n, f in section.model_fields.items() if not _is_section(f)}
    if prefix:
        yield f"## {prefix.rstrip('.')}"
        yield ""
        yield " ".join((section.__doc__ or "").split())
        yield ""
    if plain:
        others = [name for name in PRESET_NAMES if name != "cloud"]
        yield f"| setting | type | cloud | {' | '.join(others)} | |"
        yield "|---" * (4 + len(others)) + "|"
        for name, field in plain.items():
            values = {p: _shown(_value(presets[p], prefix + name)) for p in PRESET_NAMES}
            rest = [SAME if values[p] == values["cloud"] else values[p] for p in others]
            cells = [f"`{prefix}{name}`", _kind(field), values["cloud"], *rest, _meaning(field)]
            yield f"| {' | '.join(cells)} |"
        yield ""
    for name, field in section.model_fields.items():
        if _is_section(field):
            yield from _section(typing.cast(Any, field.annotation), f"{prefix}{name}.", presets)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _value(content: dict[str, Any], key: str) -> Any:
    found: Any = content
    for part in key.split("."):
        found = found[part]
    return found


def _shown(value: Any) -> str:
    return f"`{json.dumps(value)}`"


def _kind(field: FieldInfo) -> str:
    if typing.get_origin(field.annotation) is typing.Literal:
        return " \\| ".join(str(choice) for choice in typing.get_args(field.annotation))
    name = getattr(field.annotation, "__name__", None)
    if name is None or typing.get_args(field.annotation):
        name = str(field.annotation).replace("typing.", "").replace("|", "\\|")
        name = name.replace("voltx_core.config.scaling.", "").replace("pathlib.", "")
    return str(name)


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split()).replace("|", "\\|")


if __name__ == "__main__":
    print(render(), end="")
