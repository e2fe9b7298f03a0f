"""All families by name, in a fixed order."""

from types import MappingProxyType
from typing import get_args

from voltx_core.data.generator.families.family import Family, Kind
from voltx_core.data.generator.families.filters import FILTERS
from voltx_core.data.generator.families.list_algorithms import LIST_ALGORITHMS
from voltx_core.data.generator.families.maps import MAPS
from voltx_core.data.generator.families.number_algorithms import NUMBER_ALGORITHMS
from voltx_core.data.generator.families.numbers import NUMBERS
from voltx_core.data.generator.families.reductions import REDUCTIONS
from voltx_core.data.generator.families.shapes import SHAPES
from voltx_core.data.generator.families.text_algorithms import TEXT_ALGORITHMS
from voltx_core.data.generator.families.texts import TEXTS, WORDS

_ROWS = (
    *FILTERS,
    *MAPS,
    *SHAPES,
    *REDUCTIONS,
    *NUMBERS,
    *TEXTS,
    *WORDS,
    *LIST_ALGORITHMS,
    *NUMBER_ALGORITHMS,
    *TEXT_ALGORITHMS,
)

FAMILIES: MappingProxyType[str, Family] = MappingProxyType({f.name: f for f in _ROWS})
"""Every operation family and algorithm, read-only."""

_KINDS = get_args(Kind)
_TAKING = {kind: tuple(f for f in _ROWS if f.takes == kind) for kind in _KINDS}
_GIVING = {kind: tuple(f for f in _ROWS if f.gives == kind) for kind in _KINDS}


def taking(kind: Kind) -> tuple[Family, ...]:
    """The families that accept a value of this kind."""
    return _TAKING[kind]


def giving(kind: Kind) -> tuple[Family, ...]:
    """The families that produce a value of this kind."""
    return _GIVING[kind]
