"""From a preset and dotted overrides to one validated configuration.

``plan``, ``run`` and every deployment call the same function, so they can never disagree. All
mistakes of one request come back in a single message.
"""

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from voltx_core.config.presets import PRESET_NAMES, PRESETS
from voltx_core.config.schema import VoltxConfig
from voltx_core.errors import ConfigError


def resolve(
    preset: str = "laptop",
    overrides: Mapping[str, Any] | Iterable[str] = (),
    *,
    environ: Mapping[str, str] | None = None,
) -> VoltxConfig:
    """Build the configuration of a run.

    Args:
        preset: One of ``tiny``, ``laptop``, ``single-gpu``, ``cloud``.
        overrides: ``{"soft_core.steps": 100}`` or ``["soft_core.steps=100", ...]``; values of
            the second form are JSON where they parse as JSON, else plain text.
        environ: Where VOLTX_DATA_DIR is looked up; the process environment by default.

    Raises:
        ConfigError: Unknown preset or key, or values that do not fit; lists every one.
    """
    if preset not in PRESET_NAMES:
        raise ConfigError(
            f"Unknown preset {preset!r}{_nearest(preset, PRESET_NAMES)}. "
            f"Presets: {', '.join(PRESET_NAMES)}."
        )
    environ = os.environ if environ is None else environ
    values = _merge({}, PRESETS[preset])
    values["preset"] = preset
    mistakes: list[str] = []
    for key, value in _pairs(overrides, mistakes):
        mistake = _unknown(key)
        if mistake:
            mistakes.append(mistake)
        else:
            _merge(values, _nested(key, value))
    directory, data = environ.get("VOLTX_DATA_DIR"), values.setdefault("data", {})
    if directory and isinstance(data, dict) and data.get("directory") is None:
        data["directory"] = os.path.abspath(directory)
    config = None
    try:
        config = VoltxConfig.model_validate(_with_defaults(VoltxConfig(), values))
    except ValidationError as error:
        mistakes += [text for item in error.errors() for text in _explain(item)]
    if mistakes or config is None:
        raise ConfigError(
            f"The configuration has {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}:\n"
            + "\n".join(f"  {n}. {text}" for n, text in enumerate(mistakes, 1))
        )
    return config


def dotted(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf setting as (dotted key, value), in the order of the schema."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        key = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from dotted(value, f"{key}.")
        else:
            yield key, value


def lookup(section: BaseModel, path: str) -> Any:
    """The value at a dotted path, JSON-ready."""
    value: Any = section
    for name in path.split("."):
        value = getattr(value, name)
    return to_jsonable_python(value)


def _pairs(
    overrides: Mapping[str, Any] | Iterable[str], mistakes: list[str]
) -> Iterator[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        yield from overrides.items()
        return
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator:
            mistakes.append(f"{text!r} is not KEY=VALUE; write for example seed=1")
            continue
        try:
            yield key.strip(), json.loads(value)
        except json.JSONDecodeError:
            yield key.strip(), value.strip()


def _unknown(key: str) -> str | None:
    """What is wrong with a dotted key, or None."""
    if key == "preset":
        return "'preset' is chosen as such and not overridden; write for example --preset tiny"
    section: type[BaseModel] | None = VoltxConfig
    names = key.split(".")
    for depth, name in enumerate(names):
        if section is None:
            return f"{key!r}: {'.'.join(names[:depth])!r} is a value, it has no {name!r}"
        if name not in section.model_fields:
            known = [k for k, _ in dotted(VoltxConfig())]
            return f"Unknown key {key!r}{_nearest(key, known)}"
        annotation = section.model_fields[name].annotation
        if get_origin(annotation) is dict and depth == len(names) - 2:
            return None  # one entry of a table, such as the price of one pool
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        section = cast(type[BaseModel], annotation) if is_section else None
    return None


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if not close:  # a bare field name: look at the last part of each key
        tails = {k.rsplit(".", 1)[-1]: k for k in known}
        tail = difflib.get_close_matches(word.rsplit(".", 1)[-1], list(tails), n=1, cutoff=0.6)
        close = [tails[tail[0]]] if tail else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return cast(dict[str, Any], value)


def _merge(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in overlay.items():
        known = base.get(key)
        if isinstance(value, Mapping) and isinstance(known, dict):
            _merge(known, value)
        else:
            base[key] = _merge({}, value) if isinstance(value, Mapping) else value
    return base


def _with_defaults(section: BaseModel, values: Mapping[str, Any]) -> dict[str, Any]:
    """Overlay values on a section, keeping each stage's own defaults for its sub-sections."""
    merged = dict(values)
    for name in type(section).model_fields:
        default = getattr(section, name)
        given = values.get(name)
        if isinstance(default, BaseModel) and isinstance(given, Mapping):
            merged[name] = _with_defaults(default, given)
        elif isinstance(default, dict) and isinstance(given, Mapping):
            merged[name] = {**default, **given}
        elif name not in values:
            merged[name] = default
    return merged


def _explain(item: Any) -> list[str]:
    """One error of pydantic in words; a check of several settings may have found several."""
    where = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return [f"{where}: {text}" if where else text for text in message.split("\n")]
    return [f"{where} = {item['input']!r}: {message}"]
