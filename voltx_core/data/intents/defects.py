"""Plausible mistakes: one token of a program exchanged for what people confuse it with."""

import io
import random
import tokenize

CONFUSIONS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+",
    "*": "+", "//": "/", "%": "//", "+=": "-=", "-=": "+=", "and": "or", "or": "and",
    "True": "False", "False": "True", "0": "1", "1": "2", "2": "1", "min": "max", "max": "min",
    "append": "extend", "break": "continue", "continue": "break",
}  # fmt: skip


def plant_defect(code: str, rng: random.Random) -> str | None:
    """The code with one confused token, or None when there is nothing to confuse.

    The result may by chance behave the same: it is text to ask about, not a test of a debugger.
    """
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    places = [token for token in tokens if token.string in CONFUSIONS]
    if not places:
        return None
    token = rng.choice(places)
    lines = code.split("\n")
    row, start = token.start[0] - 1, token.start[1]
    line = lines[row]
    lines[row] = line[:start] + CONFUSIONS[token.string] + line[token.end[1] :]
    return "\n".join(lines)
