"""Embedded maths questions: small families of word problems and expressions, seeded."""

import random
from collections.abc import Callable

NAMES = ("Ada", "Ben", "Chidi", "Dora", "Emil", "Fatima", "Goro", "Hana", "Ivan", "Jun")
THINGS = ("apples", "books", "coins", "stamps", "tickets", "shells", "pencils", "cards")


def _expression(draw: random.Random) -> str:
    terms = [str(draw.randint(2, 99)) for _ in range(draw.randint(2, 4))]
    text = terms[0]
    for term in terms[1:]:
        text += f" {draw.choice('+-*')} {term}"
    return f"{text} = ?"


def _shopping(draw: random.Random) -> str:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    return (
        f"{name} buys {draw.randint(2, 20)} {thing} at {draw.randint(2, 9)} dollars each and pays "
        f"with {draw.randint(2, 9)}00 dollars. How much change does {name} get?"
    )


def _sharing(draw: random.Random) -> str:
    first, second = draw.sample(NAMES, 2)
    thing, most = draw.choice(THINGS), draw.randint(20, 90)
    return (
        f"{first} has {most} {thing} and {second} has {draw.randint(2, 19)} fewer. "
        f"How many {thing} do they have together?"
    )


def _equation(draw: random.Random) -> str:
    return f"Solve for x: {draw.randint(2, 9)}x + {draw.randint(1, 30)} = {draw.randint(31, 99)}"


def _percentage(draw: random.Random) -> str:
    return (
        f"A price of {draw.randint(2, 90)}0 dollars is reduced by {draw.randint(1, 9)}0 percent. "
        f"What is the new price?"
    )


def _distance(draw: random.Random) -> str:
    return (
        f"A train covers {draw.randint(60, 900)} km in {draw.randint(2, 9)} hours. How far does "
        f"it get in {draw.randint(2, 9)} hours at the same speed?"
    )


def _rectangle(draw: random.Random) -> str:
    return (
        f"A garden is {draw.randint(3, 60)} m long and {draw.randint(2, 40)} m wide. "
        f"What are its area and its perimeter?"
    )


def _average(draw: random.Random) -> str:
    numbers = ", ".join(str(draw.randint(1, 99)) for _ in range(draw.randint(3, 6)))
    return f"What is the mean of {numbers}?"


FAMILIES: dict[str, Callable[[random.Random], str]] = {
    "expression": _expression,
    "shopping": _shopping,
    "sharing": _sharing,
    "equation": _equation,
    "percentage": _percentage,
    "distance": _distance,
    "rectangle": _rectangle,
    "average": _average,
}


def maths_questions(family: str, count: int, seed: int) -> list[str]:
    """``count`` questions of one family; a pure function of the arguments."""
    draw = random.Random(f"{seed}/arithmetic/{family}")
    return [FAMILIES[family](draw) for _ in range(count)]
