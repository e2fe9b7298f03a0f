"""Parameters of the flows, with the descriptions that the form in the UI shows."""

from typing import Annotated, Any

from pydantic import Field

from voltx_core.config import SUMMARIES, PresetName

Preset = Annotated[
    PresetName,
    Field(description="; ".join(f"{name}: {text}" for name, text in SUMMARIES.items())),
]
Overrides = Annotated[
    dict[str, Any] | None,
    Field(
        description='Settings to change, by dotted key: {"soft_core.steps": 900}. '
        "`voltx plan` with the same settings says what they cost.",
    ),
]
Only = Annotated[
    list[str] | None,
    Field(description="Only these stages (names or numbers) and what they need; empty: all."),
]
Until = Annotated[
    str | None, Field(description="Stop after this stage (name or number); empty: go to the end.")
]
Force = Annotated[
    list[str] | None,
    Field(description="Do the work of these stages even though committed results exist."),
]
RehearseS = Annotated[
    float | None,
    Field(
        ge=0,
        description="Rehearse: every stage waits this many seconds in its own process instead of "
        "working. Shows that server, pools and workers play together. Empty: real work.",
    ),
]
