"""Role labels of code: which slot each token belongs to, from the syntax tree.

Python's are here; those of other languages in `tree_roles`.

Labels are painted on characters by walking the tree from the outside in, so that the innermost
construct wins, and then carried over to tokens by their character spans. Comparing keywords with
token text instead would miss every piece that starts with a space.
"""

import ast
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from voltx_core.frame import ROLES
from voltx_core.translator.tokenizer import CodeTokenizer

AGENT, PREDICATE, PATIENT, LOCATION, TIME, MANNER, INSTRUMENT, CAUSE, RESULT = range(9)
LABELLED = 9
"""Roles that have labels: S0 to S8. The free slots S9-S15 are never labelled."""
UNLABELLED = -100

_STATEMENTS: tuple[tuple[tuple[type[ast.AST], ...], int], ...] = (
    ((ast.Return, ast.Yield, ast.YieldFrom), LOCATION),
    ((ast.For, ast.While, ast.AsyncFor, ast.Break, ast.Continue, ast.comprehension), TIME),
    ((ast.Import, ast.ImportFrom, ast.With, ast.Lambda), MANNER),
    ((ast.If, ast.IfExp), INSTRUMENT),
    ((ast.Try, ast.ExceptHandler, ast.Raise, ast.Assert), CAUSE),
    ((ast.Match, ast.match_case), RESULT),
    (
        (
            ast.Assign,
            ast.AugAssign,
            ast.AnnAssign,
            ast.BinOp,
            ast.UnaryOp,
            ast.Compare,
            ast.BoolOp,
            ast.Call,
        ),
        PREDICATE,
    ),
    ((ast.arg, ast.Constant), PATIENT),
)


def label_characters(code: str, language: str = "python") -> list[int]:
    """The role of every character of a program, UNLABELLED where there is none.

    Code that does not parse is wholly unlabelled.

    Raises:
        DataError: There are no roles for that language.
    """
    if language != "python":
        from voltx_core.translator import tree_roles

        return tree_roles.label_characters(code, language)
    labels = [UNLABELLED] * len(code)
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return labels
    starts = _line_starts(code)
    lines = code.splitlines(keepends=True)

    def at(line: int, column: int) -> int:
        # ast counts columns in UTF-8 bytes.
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode(errors="ignore"))

    def paint(node: ast.AST, role: int) -> None:
        begin = at(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end = at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        labels[begin:end] = [role] * (end - begin)

    def visit(node: ast.AST) -> None:
        role = next((r for kinds, r in _STATEMENTS if isinstance(node, kinds)), None)
        if role is not None and hasattr(node, "lineno"):
            paint(node, role)
        elif isinstance(node, ast.comprehension):
            paint(node.target, TIME)
        elif isinstance(node, ast.Name):
            paint(node, PATIENT)
        for child in ast.iter_child_nodes(node):
            visit(child)
        if isinstance(node, ast.Call):
            paint(node.func, PREDICATE)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            begin = code.find(node.name, at(node.lineno, node.col_offset))
            labels[begin : begin + len(node.name)] = [AGENT] * len(node.name)

    try:
        visit(tree)
    except RecursionError:
        return [UNLABELLED] * len(code)
    return labels


def label_tokens(
    tokenizer: CodeTokenizer, codes: Sequence[str], length: int, language: str = "python"
) -> Tensor:
    """Roles of tokens ``[B, length]``; UNLABELLED on padding and on tokens without a role."""
    rows = torch.full((len(codes), length), UNLABELLED)
    for n, code in enumerate(codes):
        characters = label_characters(code, language)
        for position, (begin, end) in enumerate(tokenizer.offsets(code, length)):
            inside = [characters[i] for i in range(begin, end) if not code[i].isspace()]
            known = Counter(role for role in inside if role != UNLABELLED)
            if known:
                rows[n, position] = known.most_common(1)[0][0]
    return rows


def distribution(labels: Tensor) -> dict[str, float]:
    """Share of each role among the labelled tokens."""
    counts = torch.bincount(labels[labels >= 0].flatten(), minlength=LABELLED).float()
    shares = counts / counts.sum().clamp(min=1)
    return {ROLES[role]: round(float(shares[role]), 4) for role in range(LABELLED)}


def _line_starts(code: str) -> list[int]:
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
