"""The deterministic guard: reads a program's syntax tree, runs nothing, forgets nothing.

``inspect(code)`` lists every finding. The reader (reader.py) follows names, attributes and
constant expressions to what they really refer to; the rules (rules.py) say what that means; text
that does not parse is searched for words (tokens.py).
"""

from voltx_core.hard_core.guard.inspection import Finding, inspect

__all__ = ["Finding", "inspect"]
