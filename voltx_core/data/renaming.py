"""Renaming the local names of a Python module without changing what it does.

A name is renamed everywhere in the module or nowhere, to a name that occurs nowhere in it. That is
safe for names that only functions bind and nobody outside can see. Every name that could be seen
otherwise (module level, class bodies, imports, keyword arguments, strings that are code) is left
alone.
"""

import ast
import builtins
import io
import random
import re
import tokenize
from collections.abc import Iterable, Iterator

from voltx_core.data.python_source import parse_python

FRESH_NAMES = (
    "a", "acc", "amount", "answer", "b", "base", "cell", "chunk", "cur", "current", "data", "delta",
    "element", "entry", "first", "group", "head", "idx", "item", "items", "k", "key_", "left",
    "limit", "m", "mark", "n", "num", "numbers", "other", "out", "p", "pair", "part", "piece",
    "place", "pos", "prev", "q", "rest", "result", "right", "row", "second", "seq", "size", "spot",
    "step", "t", "tail", "target", "temp", "token", "total", "u", "v", "val", "value", "values",
    "w", "word", "xs", "y", "ys", "z",
)  # fmt: skip
KEPT_NAMES = frozenset({"self", "cls", "_", "match", "case", "type"})
READS_NAMES = frozenset({"eval", "exec", "locals", "globals", "vars", "dir", "compile"})

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
WORD = re.compile(r"[^\W\d]\w*")


def rename_locals(
    code: str,
    rng: random.Random,
    *,
    share: float = 0.7,
    visible: Iterable[str] = (),
    whole_program: bool = False,
) -> str | None:
    """Give some of the local names new ones.

    Args:
        code: a module; layout and comments stay as they are.
        rng: chooses which names and what they become.
        share: chance of each renameable name, in [0, 1].
        visible: texts that may mention names of the module (tests, set-up): names that occur in
            them are kept.
        whole_program: nothing imports the module, so its own variables are as good as local.

    Returns:
        The renamed module, or None when nothing can safely be renamed or nothing was drawn.
    """
    tree = parse_python(code)
    if tree is None:
        return None
    names = _renameable(tree, _mentioned(visible), whole_program)
    chosen = [name for name in names if rng.random() < share]
    taken = {token.string for token in _tokens(code) if token.type == tokenize.NAME}
    taken |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    fresh = [name for name in FRESH_NAMES if name not in taken]
    if not chosen or len(fresh) < len(chosen):
        return None
    mapping = dict(zip(chosen, rng.sample(fresh, len(chosen)), strict=True))
    renamed = _replace_names(code, mapping)
    # The one property everything rests on: the trees are equal up to the names.
    inverse = {new: old for old, new in mapping.items()}
    if parse_python(renamed) is None or _replace_names(renamed, inverse) != code:
        return None
    return renamed


def _renameable(tree: ast.Module, mentioned: set[str], whole_program: bool) -> list[str]:
    """Names that nothing outside the module can refer to, in order of appearance."""
    bound: dict[str, None] = {}
    kept = set(KEPT_NAMES) | mentioned | set(dir(builtins))
    private = (*FUNCTIONS, ast.Module) if whole_program else FUNCTIONS
    for node, scope in _with_scope(tree, tree):
        names = _bound_names(node)
        if isinstance(scope, (*private, *COMPREHENSIONS)):
            bound |= dict.fromkeys(names)
        else:
            kept |= set(names)
        match node:
            case ast.Name(id=name) if name in READS_NAMES:
                return []
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                return []
            case ast.Import() | ast.ImportFrom():
                kept |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                kept.add(node.name)
            case ast.keyword(arg=str(name)) | ast.NamedExpr(target=ast.Name(id=name)):
                kept.add(name)
            case ast.Global(names=names):
                kept |= set(names)
            case ast.JoinedStr():  # not tokens before Python 3.12
                kept |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            case ast.MatchClass(kwd_attrs=names):
                kept |= set(names)
            case ast.Constant(value=str(text)) if text.isidentifier():
                kept.add(text)  # getattr, string annotations, __slots__
    return [name for name in bound if name not in kept and not name.startswith("__")]


def _with_scope(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every node with the module, class, function or comprehension whose names it binds."""
    yield node, scope
    inner = node if isinstance(node, (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)) else scope
    for child in ast.iter_child_nodes(node):
        yield from _with_scope(child, inner)


def _bound_names(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def _mentioned(texts: Iterable[str]) -> set[str]:
    """Names that the texts use; every word of a text that is not Python."""
    found: set[str] = set()
    for text in texts:
        if (tree := parse_python(text)) is None:
            found |= set(WORD.findall(text))
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                    found.add(name)
                case ast.keyword(arg=str(name)) | ast.FunctionDef(name=name):
                    found.add(name)
                case ast.alias(name=name, asname=other):
                    found.add((other or name).split(".")[0])
    return found


def _tokens(code: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(code).readline))


def _replace_names(code: str, mapping: dict[str, str]) -> str:
    lines = code.split("\n")
    previous = ""
    edits = []
    for token in _tokens(code):
        if token.type == tokenize.NAME and previous != "." and token.string in mapping:
            edits.append((token.start, token.end, mapping[token.string]))
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            previous = token.string
    for (row, start), (_, end), name in reversed(edits):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + name + line[end:]
    return "\n".join(lines)
