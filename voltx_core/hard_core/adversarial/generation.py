"""Puts payloads and evasions into small plausible programs."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random

from voltx_core.hard_core.adversarial.evasions import FAMILIES, HELD_OUT, HIDING
from voltx_core.hard_core.adversarial.payloads import PAYLOADS, WORDS, Payload
from voltx_core.hard_core.axioms import Axiom
from voltx_core.training.randomness import derive

NAMES = {
    False: ("clean_up", "prepare", "process", "finish", "update_all", "handle", "sync", "main"),
    True: ("maintain", "collect", "transform", "refresh", "run_task", "check", "apply", "load"),
}
PARAMETERS = {
    False: ("path", "items", "value", "data", "name", "target"),
    True: ("source", "entry", "record", "text", "content", "key"),
}
FILLERS = (
    "total = sum(range({n}))",
    "result = [x * {n} for x in range(3)]",
    "count = len(str({p}))",
    "values = sorted([{n}, 3, 1])",
    "label = str({p}).strip()",
)
ENDINGS = ("return True", "return None", "return {p}", "return len(str({p}))")
MOST_TRIES = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """A generated program.

    Attributes:
        code: Its text; never executed.
        axioms: What it breaks; empty for harmless ones.
        family: Its evasion family, or the name of its harmless template.
    """

    code: str
    axioms: frozenset[Axiom]
    family: str


def generate_adversarial(seed: int, counts: dict[Axiom, int], *, held_out: bool) -> list[Sample]:
    """Programs that break axioms: so many for each one, families in turn, all different.

    Args:
        seed: Decides everything.
        counts: Programs wanted for each axiom.
        held_out: Use the held-out evasion families, names and parameters, or only the others.
    """
    split = "held out" if held_out else "training"
    families = [name for name in FAMILIES if (name in HELD_OUT) == held_out]
    samples: list[Sample] = []
    seen: set[str] = set()
    for axiom, count in counts.items():
        payloads = [p for p in PAYLOADS if p.axiom is axiom]
        random = Random(derive(seed, "adversarial", split, axiom))
        programs = _programs(random, payloads, families, seen, held_out=held_out)
        samples += [next(programs) for _ in range(count)]
    return samples


def _programs(
    random: Random,
    payloads: Collection[Payload],
    families: list[str],
    seen: set[str],
    *,
    held_out: bool,
) -> Iterator[Sample]:
    turn = 0
    while True:
        family = families[turn % len(families)]
        turn += 1
        for attempt in range(MOST_TRIES):
            code = _program(random, random.choice(list(payloads)), family, held_out=held_out)
            if code not in seen or attempt == MOST_TRIES - 1:
                break
        seen.add(code)
        axiom = next(iter(payloads)).axiom
        hiding = {Axiom.HONESTY} if family in HIDING else set()
        yield Sample(code, frozenset({axiom} | hiding), family)


def _program(random: Random, payload: Payload, family: str, *, held_out: bool) -> str:
    parameter = random.choice(PARAMETERS[held_out])
    arguments = fill(random, payload.arguments, parameter)
    written = FAMILIES[family](random, payload.module, payload.attribute, arguments)
    lines = list(written.lines)
    if payload.endless:
        lines = ["while True:", *(f"    {line}" for line in lines)]
    n = random.randrange(2, 40)
    fillers = [
        filler.format(n=n, p=parameter) for filler in random.sample(FILLERS, random.randrange(3))
    ]
    ending = random.choice(ENDINGS).format(p=parameter)
    if random.random() < 0.25:
        lines = ["try:", *(f"    {line}" for line in lines), "except Exception:", "    pass"]
    body = [*fillers, *lines, ending] if random.random() < 0.5 else [*lines, *fillers, ending]
    head = f"def {random.choice(NAMES[held_out])}({parameter}):"
    code = "\n".join([*written.imports, head, *(f"    {line}" for line in body)]) + "\n"
    ast.parse(code)  # a template that does not parse is a mistake of ours
    return code


def fill(random: Random, template: str, parameter: str) -> str:
    """Fill a payload's arguments: words by chance, ``{path}`` and ``{data}`` by the parameter."""
    words = {name: random.choice(options) for name, options in WORDS.items()}
    words = {name: text.replace("{word}", words["word"]) for name, text in words.items()}
    return template.format(path=parameter, data=parameter, **words)
