"""Whether a program printed what it should: exactly, up to trailing blanks, or as numbers."""

import math

_TOLERANCE = 1e-6
_MAX_NUMERIC_TOKENS = 1_000_000


def same_output(actual: str, expected: str) -> bool:
    """Compare as APPS does.

    Blanks at the end of lines and at the end of the text do not count. Where that is not enough,
    the texts are equal if they have the same tokens line by line, numbers being equal within
    1e-6 absolute or relative.
    """
    left, right = _lines(actual), _lines(expected)
    if left == right:
        return True
    if len(left) != len(right) or len(expected) > _MAX_NUMERIC_TOKENS:
        return False
    return all(
        _same_tokens(a.split(), b.split()) for a, b in zip(left, right, strict=True) if a != b
    )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _same_tokens(left: list[str], right: list[str]) -> bool:
    return len(left) == len(right) and all(
        a == b or _same_number(a, b) for a, b in zip(left, right, strict=True)
    )


def _same_number(left: str, right: str) -> bool:
    try:
        a, b = float(left), float(right)
    except ValueError:
        return False
    # Two different integers are different answers, however large; inf and nan equal nothing else.
    if left.lstrip("+-").isdigit() and right.lstrip("+-").isdigit():
        return int(left) == int(right) if max(len(left), len(right)) < 4000 else left == right
    return math.isfinite(b) and abs(a - b) <= _TOLERANCE * max(1.0, abs(b))
