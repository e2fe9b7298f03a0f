"""Drawing labelled queries: balanced strands, held-out templates, held-out sources."""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from string import Formatter

from voltx_core.data.intents.sources import Material, gather_material
from voltx_core.data.intents.templates import HELD_OUT, STRANDS, TRAIN, Templates
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError

HELD_OUT_SOURCE_SHARE = 0.3
TWO_STRAND_SHARE = 0.1
TRIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A query, the strands that should answer it, and where its words come from."""

    text: str
    strands: tuple[str, ...]
    template: str
    source: str


def build_intents(
    problems: Iterable[Problem],
    *,
    count: int,
    seed: int,
    data_dir: Path | str | None = None,
    held_out: int | None = None,
) -> dict[str, list[Intent]]:
    """Labelled queries for training the router and for examining it.

    Strands are balanced; one query in ten needs two. Texts are distinct. No template and no
    source of ``heldout`` occurs in ``train``, and material of exams occurs in ``heldout`` only.

    Args:
        problems: tasks and code to ask about; generated problems are split into sources by their
            first operation.
        count: queries in ``train``.
        seed: decides everything, including which sources are held out.
        data_dir: folder of published sets; more sources, where they are found.
        held_out: queries in ``heldout``; a fifth of ``count`` if None.

    Returns:
        ``{"train": [...], "heldout": [...]}``.

    Raises:
        DataError: some strand has no material on one side, or too little for distinct texts.
    """
    folder = Path(data_dir) if data_dir is not None else None
    material = gather_material(problems, seed=seed, data_dir=folder)
    held_sources = _choose_held_out(material, random.Random(f"{seed}/intents/sources"))
    sides = {
        "train": (TRAIN, count, [name for name in material if name not in held_sources]),
        "heldout": (
            HELD_OUT,
            count // 5 if held_out is None else held_out,
            [name for name in material if name in held_sources],
        ),
    }
    return {
        side: _draw_intents(
            templates,
            {name: material[name] for name in names},
            number,
            random.Random(f"{seed}/intents/{side}"),
            side,
        )
        for side, (templates, number, names) in sides.items()
    }


def _choose_held_out(material: dict[str, list[Material]], rng: random.Random) -> set[str]:
    """Sources to hold out: all exams, and a share of the others among those alike in kind.

    Sources are alike when they offer the same kinds of material. Where that leaves a kind without
    a held-out source, one more is taken; training always keeps a source of every kind.
    """
    kinds: dict[str, frozenset[str]] = {
        name: frozenset(kind for item in items for kind in item.texts)
        for name, items in material.items()
    }
    exams = {name for name, items in material.items() if any(item.exam for item in items)}
    others = [name for name in material if name not in exams]
    rng.shuffle(others)
    alike: dict[frozenset[str], list[str]] = {}
    for name in others:
        alike.setdefault(kinds[name], []).append(name)
    chosen = set(exams)
    for names in alike.values():
        chosen |= set(names[: round(HELD_OUT_SOURCE_SHARE * len(names))])
    for kind in sorted(frozenset().union(*kinds.values())):
        if not any(kind in kinds[name] for name in chosen):
            spare = (n for n in others if kind in kinds[n] and _can_spare(n, chosen, kinds))
            chosen |= set(islice(spare, 1))
    return chosen


def _can_spare(name: str, chosen: set[str], kinds: dict[str, frozenset[str]]) -> bool:
    """Whether training keeps another source for every kind that ``name`` offers."""
    left = frozenset().union(*(kinds[other] for other in kinds if other not in chosen | {name}))
    return kinds[name] <= left


def _draw_intents(
    templates: Templates,
    material: dict[str, list[Material]],
    count: int,
    rng: random.Random,
    side: str,
) -> list[Intent]:
    offers = _offers(material)
    single = [strands for strands in templates if len(strands) == 1]
    double = [strands for strands in templates if len(strands) > 1]
    intents: list[Intent] = []
    seen: set[str] = set()
    for number in range(count):
        turn, place = divmod(number, len(single))
        two = double and rng.random() < TWO_STRAND_SHARE
        strands = rng.choice(double) if two else single[(place + turn) % len(single)]
        for _ in range(TRIES):
            intent = _draw(strands, templates[strands], offers, rng)
            if intent is not None and intent.text not in seen:
                seen.add(intent.text)
                intents.append(intent)
                break
        else:
            raise DataError(
                f"{side} intents: no material left for a new {' + '.join(strands)} query after "
                f"{len(intents)} of {count}. Give more problems or a folder of published sets, or "
                f"ask for fewer intents."
            )
    rng.shuffle(intents)
    return intents


def _draw(
    strands: tuple[str, ...],
    templates: tuple[str, ...],
    offers: dict[frozenset[str], dict[str, list[Material]]],
    rng: random.Random,
) -> Intent | None:
    template = rng.choice(templates)
    by_source = offers.get(_fields(template))
    if not by_source:
        return None
    # Between equal shares for all and shares by size: large sets do not drown the small ones.
    weights = [math.sqrt(len(items)) for items in by_source.values()]
    (source,) = rng.choices(list(by_source), weights)
    item = rng.choice(by_source[source])
    return Intent(
        text=template.format(**item.texts),
        strands=tuple(strand for strand in STRANDS if strand in strands),
        template=template,
        source=source,
    )


def _offers(
    material: dict[str, list[Material]],
) -> dict[frozenset[str], dict[str, list[Material]]]:
    """For every set of fields a template needs: the sources, and their items, that fill it."""
    needs = {
        _fields(template)
        for templates in (TRAIN, HELD_OUT)
        for wordings in templates.values()
        for template in wordings
    }
    return {
        need: {
            name: fitting
            for name, items in material.items()
            if (fitting := [item for item in items if need <= item.texts.keys()])
        }
        for need in sorted(needs, key=sorted)
    }


def _fields(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)
