"""Python source met in data: parsed without executing, complaining or trusting it."""

import ast
import warnings


def parse_python(text: str) -> ast.Module | None:
    """The syntax tree of ``text``, or None when it is not valid Python of this version.

    Warnings about strange literals are the author's business, not this program's reader's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
