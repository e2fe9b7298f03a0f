"""All families by name, in a fixed order."""

from types import MappingProxyType
from typing import get_args

from voltx_core.data.generator.algorithms import ALGORITHMS
from voltx_core.data.generator.family import Family, Kind
from voltx_core.data.generator.lists import FILTERS, MAPS, SHAPES
from voltx_core.data.generator.numbers import NUMBERS
from voltx_core.data.generator.reductions import REDUCTIONS
from voltx_core.data.generator.texts import TEXTS, WORDS

_ROWS = (*FILTERS, *MAPS, *SHAPES, *REDUCTIONS, *NUMBERS, *TEXTS, *WORDS, *ALGORITHMS)

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
