"""All families by name, in a fixed order."""

from types import MappingProxyType

from voltx_core.data.generator.algorithms import ALGORITHMS
from voltx_core.data.generator.family import Family, Kind
from voltx_core.data.generator.lists import FILTERS, MAPS, SHAPES
from voltx_core.data.generator.numbers import NUMBERS
from voltx_core.data.generator.reductions import REDUCTIONS
from voltx_core.data.generator.texts import TEXTS, WORDS

_ROWS = (*FILTERS, *MAPS, *SHAPES, *REDUCTIONS, *NUMBERS, *TEXTS, *WORDS, *ALGORITHMS)

FAMILIES: MappingProxyType[str, Family] = MappingProxyType({f.name: f for f in _ROWS})
"""Every operation family and algorithm, read-only."""


def taking(kind: Kind) -> tuple[Family, ...]:
    """The families that accept a value of this kind."""
    return tuple(f for f in FAMILIES.values() if f.takes == kind)
