"""What every candidate does, done once before any is forked.

An interpreter fills caches as it goes: of methods, of specialized instructions. Filled before the
fork they are shared; filled after it, every candidate copies the pages that they lie in.
"""

import marshal
import os
import sys

from .candidate import perform
from .frames import HEADER
from .values import encode

_TIMES = 24
_CODE = '''
from typing import Dict, List, Optional, Tuple
import math

class Pair:
    def __init__(self, left, right):
        self.left, self.right = left, right

    def __repr__(self):
        return f"{self.left}-{self.right}"


def rehearsed(numbers: List[int], text: str = "", *rest, **named) -> Optional[Tuple]:
    """Some of what programs do."""
    counts: Dict[str, int] = {}
    for letter in text.lower().split(" "):
        counts[letter] = counts.get(letter, 0) + 1
    total = 0
    for index, number in enumerate(numbers):
        if number % 2 == 0 and number > 0:
            total += number // 2
        elif number < 0 or not number:
            total -= abs(number) * index
        else:
            total = max(total, number) - 1
    numbers.append(total)
    squares = sorted([n * n for n in numbers if n > 1], key=lambda n: -n, reverse=True)
    unique = set(squares) | {1, 2}
    while len(squares) > 3:
        squares.pop()
    try:
        ratio = total / len(squares)
    except ZeroDivisionError:
        ratio = math.sqrt(4.0)
    words = "".join(chr(ord(c) + 1) for c in text if c.isalpha())[::-1]
    pairs = [repr(Pair(a, b)) for a, b in zip(squares, range(3))]
    if not all(isinstance(n, int) for n in numbers) or any(pairs) is None:
        raise ValueError("numbers")
    return squares, counts, round(ratio, 2), words, sum(unique), tuple(pairs), text.upper(), rest
'''
_TYPES = (str, list, dict, set, frozenset, tuple, int, float, bool, bytes, range, type(None))


def rehearse() -> None:
    """Load a program and answer calls to it, all in this process."""
    incoming, feed = os.pipe()
    answers, outgoing = os.pipe()
    order = marshal.dumps((_CODE, "import math", ["rehearsed", "absent"]))
    os.write(feed, order)
    for times in range(_TIMES):
        call = encode(("rehearsed", ([3, -1, 4, times, 0], "Words of a text"), {"named": 1.5}))
        os.write(feed, HEADER.pack(len(call)) + call)
    os.close(feed)
    perform(incoming, len(order), outgoing)
    for fd in (incoming, answers, outgoing):
        os.close(fd)
    del sys.modules["candidate"]
    for kind in _TYPES:
        for name in dir(kind):
            getattr(kind, name, None)
