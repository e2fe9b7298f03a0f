"""How APPS states its tests, and the snippets they become."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from voltx_core.data.problem import StdioTest, Test

CALL_SETUP = """\
import bisect, collections, functools, heapq, itertools, math, operator, random, re, string, sys
from collections import Counter, OrderedDict, defaultdict, deque
from functools import cmp_to_key, lru_cache, reduce
from itertools import accumulate, combinations, permutations, product
from typing import Any, Dict, List, Optional, Set, Tuple, Union


def listed(value):
    return [listed(item) for item in value] if isinstance(value, (list, tuple)) else value
"""
"""What the sites of call-based problems import for everybody, and the solutions presume; and what
the tests call, because a function may return tuples where JSON could only write lists."""


class UnusableTests(Exception):
    """A published problem has no tests, or tests that cannot be carried out."""


def parse_published_json(text: str) -> Any:
    """Parse JSON that was published inside a string.

    Raises:
        UnusableTests: it is empty, damaged, or holds integers beyond Python's digit limit.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise UnusableTests(f"input_output is unreadable: {problem}") from None


def tests_from_cases(cases: Mapping[str, Any]) -> tuple[tuple[Test, ...], str | None]:
    """The tests of an ``input_output`` object, and the entry point of call-based ones.

    Raises:
        UnusableTests: there are none, or inputs and outputs do not match up.
    """
    inputs, outputs = cases.get("inputs") or [], cases.get("outputs") or []
    if not inputs or len(inputs) != len(outputs):
        raise UnusableTests(f"{len(inputs)} inputs, {len(outputs)} outputs")
    if name := cases.get("fn_name"):
        calls = tuple(
            _call_test(name, arguments, expected)
            for arguments, expected in zip(inputs, outputs, strict=True)
        )
        return calls, name
    return tuple(
        StdioTest(stdin=_joined(given), stdout=_joined(expected))
        for given, expected in zip(inputs, outputs, strict=True)
    ), None


def printed_tests(
    cases: Sequence[Mapping[str, Any]], starter: str
) -> tuple[tuple[Test, ...], str | None]:
    """The tests of ``apps_selected``: arguments one per line and the result, all as printed.

    The types are lost in print, so a call is compared by what printing its result shows.

    Raises:
        UnusableTests: there are none, or a case has not one argument per parameter.
    """
    if not cases:
        raise UnusableTests("no cases")
    signature = re.search(r"def (\w+)\((.*?)\)", starter)
    if not signature:
        return tuple(
            StdioTest(stdin=case["input"], stdout=_joined(case["output"])) for case in cases
        ), None
    name = signature[1]
    parameters = [word for word in signature[2].split(",") if word.strip() not in ("", "self")]
    return tuple(_printed_test(name, len(parameters), case) for case in cases), name


def _call_test(name: str, arguments: Sequence[Any], expected: Any) -> str:
    # As in the authors' harness: an expected list may be the value itself or wrap it.
    accepted = [expected, expected[0]] if isinstance(expected, list) and expected else [expected]
    call = f"{name}({', '.join(repr(_integer_keys(value)) for value in arguments)})"
    return f"assert listed({call}) in {[_integer_keys(value) for value in accepted]!r}"


def _printed_test(name: str, parameters: int, case: Mapping[str, Any]) -> str:
    lines = [case["input"]] if parameters == 1 else case["input"].split("\n")
    if len(lines) != parameters:
        raise UnusableTests(f"{len(lines)} arguments for {parameters} parameters")
    call = f"{name}({', '.join(repr(_literal(line)) for line in lines)})"
    return f"assert str(listed({call})).strip() == {_joined(case['output']).strip()!r}"


def _literal(text: str) -> Any:
    """The value a line shows, or the line itself when it shows no literal."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text


def _integer_keys(value: Any) -> Any:
    """JSON turned integer keys into texts; turn a mapping whose keys all are numbers back."""
    if isinstance(value, dict):
        numeric = all(re.fullmatch(r"-?\d+", key) for key in value)
        return {int(key) if numeric else key: _integer_keys(item) for key, item in value.items()}
    return [_integer_keys(item) for item in value] if isinstance(value, list) else value


def _joined(lines: str | Sequence[Any]) -> str:
    return lines if isinstance(lines, str) else "\n".join(map(str, lines))
