"""(Function, docstring) pairs mined from Python sources, for the contrastive part of the encoder.

The docstring is cut out of the function it is paired with: left in, the task would be to find a
copy.
"""

import ast
import hashlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from voltx_core.data.python_source import parse_python
from voltx_core.data.source_file import SourceFile

LEAST_DOC_WORDS = 3
MOST_DOC_CHARACTERS = 1_000
LEAST_CODE_BYTES = 40
MOST_CODE_BYTES = 4_000
HELD_OUT_OF_256 = 26
"""Packages kept apart, of 256."""

WORD = re.compile(r"[A-Za-z]{2,}")
FIELD_OR_RULE = re.compile(
    r"^\s*(?::\w+|@\w+|>>>|[-=~]{3,}|(?:Args|Arguments|Parameters|Returns|Yields|Raises)\s*:?\s*$)"
)
SAYS_NOTHING = re.compile(
    r"^(?:todo|fixme|see\b|same as|refer to|inherited|overrides?\b|docstring\b|deprecated\b"
    r"|internal\b.{0,20}$|initialize self|return repr|undocumented)",
    re.IGNORECASE,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPair:
    """A function without its docstring, and the first paragraph of that docstring."""

    code: str
    docstring: str
    name: str
    """Qualified within its file: ``Parser.feed``."""
    package: str | None = None
    path: str = ""


def mine_file(file: SourceFile) -> list[FunctionPair]:
    """The pairs of one Python source file, each knowing its package; others give none."""
    if file.language not in (None, "python"):
        return []
    return mine_pairs(file.text, package=file.package, path=file.path)


def mine_pairs(
    text: str,
    *,
    package: str | None = None,
    path: str = "",
    least_doc_words: int = LEAST_DOC_WORDS,
    most_code_bytes: int = MOST_CODE_BYTES,
) -> list[FunctionPair]:
    """All documented functions and methods of a Python source, in order.

    Left out: nested functions (their text is inside the outer one's), tests, stubs whose body
    does nothing, docstrings that say nothing, code outside the size limits.

    Args:
        text: a whole module. What is not valid Python gives no pairs.
        package, path: recorded in each pair.
        least_doc_words: of the first paragraph.
        most_code_bytes: of the function without its docstring.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse_python(text)
    if tree is None:
        return []
    lines = text.split("\n")
    pairs = []
    for name, node in _functions(tree.body):
        docstring = _first_paragraph(ast.get_docstring(node) or "", least_doc_words)
        if docstring is None or _does_nothing(node) or node.name.startswith("test_"):
            continue
        code = _without_docstring(node, lines)
        if code is None or not LEAST_CODE_BYTES <= len(code.encode()) <= most_code_bytes:
            continue
        pairs.append(
            FunctionPair(code=code, docstring=docstring, name=name, package=package, path=path)
        )
    return pairs


def without_docstring(code: str) -> str | None:
    """A single function without its docstring; itself when it has none.

    None when it is no Python function, or cannot be cut.
    """
    text = code.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse_python(text)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], Function):
        return None
    node = tree.body[0]
    return text if ast.get_docstring(node) is None else _without_docstring(node, text.split("\n"))


def held_out(package: str) -> bool:
    """Whether a package is kept apart, as a tenth of all is: decided by its name alone.

    A standard library's module counts by its own name, so ``stdlib.json`` goes with ``json``.
    """
    name = package.split(".")[-1]
    return hashlib.sha256(name.encode()).digest()[0] < HELD_OUT_OF_256


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function]]:
    for node in body:
        if isinstance(node, Function):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _functions(node.body, prefix)


def _first_paragraph(docstring: str, least_words: int) -> str | None:
    """The opening paragraph on one line, or None when it does not describe anything."""
    paragraph = []
    for line in inspect.cleandoc(docstring).split("\n"):
        if not line.strip() or FIELD_OR_RULE.match(line):
            break
        paragraph.append(line.strip())
    text = " ".join(" ".join(paragraph).split())
    if SAYS_NOTHING.match(text) or not text.isprintable():
        return None
    words = sum(len(word) for word in WORD.findall(text))
    enough = len(WORD.findall(text)) >= least_words and words >= len(text) / 2
    return text if enough and len(text) <= MOST_DOC_CHARACTERS else None


def _does_nothing(node: Function) -> bool:
    """Whether all that follows the docstring is ``pass``, ``...`` or one ``raise``."""
    rest = node.body[1:]
    return all(
        isinstance(statement, ast.Pass | ast.Raise)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in rest
    )


def _without_docstring(node: Function, lines: list[str]) -> str | None:
    """The function's own lines, decorators included, dedented, docstring lines cut.

    None when the docstring shares a line with code, or what remains does not parse alone.
    """
    docstring = node.body[0]
    end = docstring.end_lineno or docstring.lineno
    last_line = lines[end - 1].encode()[docstring.end_col_offset :].decode().strip()
    if lines[docstring.lineno - 1].encode()[: docstring.col_offset].strip():
        return None
    if last_line and not last_line.startswith("#"):
        return None
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    before, after = lines[first - 1 : docstring.lineno - 1], lines[end : node.end_lineno]
    while after and not after[0].strip():
        after.pop(0)
    indent = " " * node.col_offset
    if lines[node.lineno - 1][: node.col_offset].strip(" "):
        return None  # indented with tabs, or several statements on one line
    # Lines of a multi-line string may stand further left than the code; they stay as they are.
    code = "\n".join(line.removeprefix(indent) for line in before + after) + "\n"
    return code if parse_python(code) is not None else None
