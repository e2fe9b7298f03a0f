"""Constant folding: the pure part of Python that programs assemble strings with.

Only functions listed here are ever called, on constants, with bounds on the size of what comes
out. Nothing of the inspected program runs.
"""

import ast
import base64
import binascii
import bz2
import codecs
import html
import lzma
import operator
import posixpath
import re
import urllib.parse
import zlib
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

from voltx_core.hard_core.guard.values import words

LARGEST = 1 << 16
"""Most characters, bytes or elements of a folded constant."""
LARGEST_INTEGER_BITS = 256
SIMPLE = (str, bytes, bytearray, int, float, bool, type(None), list, tuple, dict, set, range)


CODECS = words(
    "utf-8 utf8 ascii us-ascii latin-1 latin1 iso-8859-1 utf-16 utf-32 cp1252 rot13 rot-13 hex "
    "hex-codec base64 base64-codec unicode-escape raw-unicode-escape"
)
"""Codecs that cost no more than their input is long."""
SEQUENCES = (str, bytes, list, tuple)
VIEWS = (type({}.keys()), type({}.values()), type({}.items()))


class NotConstant(Exception):
    """The result is not known, too large, or an error."""


class Oversized(NotConstant):
    """A sequence of this many elements would come out."""

    def __init__(self, elements: int) -> None:
        super().__init__(f"{elements} elements")
        self.elements = elements


OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Pow: operator.pow,
}

METHODS = words(
    "join replace format lower upper swapcase title capitalize strip lstrip rstrip removeprefix "
    "removesuffix split rsplit splitlines partition encode decode translate hex zfill get keys "
    "values items copy index count startswith endswith"
)
"""Methods of constants that are folded; all of them are pure."""

DECODERS: Mapping[str, Callable[..., Any]] = {
    "base64.b64decode": base64.b64decode,
    "base64.standard_b64decode": base64.standard_b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.decodebytes": base64.decodebytes,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.a85decode": base64.a85decode,
    "base64.b85decode": base64.b85decode,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.a2b_hex,
    "binascii.a2b_base64": binascii.a2b_base64,
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": bytearray.fromhex,
    "codecs.decode": lambda data, how="utf-8", errors="strict": _codec(data, how, errors),
    "zlib.decompress": lambda data: _expand(zlib.decompressobj(), data),
    "bz2.decompress": lambda data: _expand(bz2.BZ2Decompressor(), data),
    "lzma.decompress": lambda data: _expand(lzma.LZMADecompressor(), data),
    "gzip.decompress": lambda data: _expand(zlib.decompressobj(zlib.MAX_WBITS | 16), data),
    "urllib.parse.unquote": urllib.parse.unquote,
    "html.unescape": html.unescape,
}
"""Functions whose result was unreadable before; what they give is tagged ``decoded``."""

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "builtins.chr": chr,
    "builtins.ord": ord,
    "builtins.int": int,
    "builtins.str": str,
    "builtins.bytes": lambda *a: _bytes(bytes, *a),
    "builtins.bytearray": lambda *a: _bytes(bytearray, *a),
    "builtins.len": len,
    "builtins.list": lambda x=(): list(_short(x)),
    "builtins.tuple": lambda x=(): tuple(_short(x)),
    "builtins.reversed": lambda x: list(reversed(_short(x))),
    "builtins.sorted": lambda x: sorted(_short(x)),
    "builtins.range": range,
    "builtins.zip": lambda *a: list(zip(*map(_short, a), strict=False)),
    "builtins.enumerate": lambda x, start=0: list(enumerate(_short(x), start)),
    "builtins.sum": lambda x, start=0: sum(_short(x), start),
    "builtins.min": lambda *a: min(*map(_short, a)),
    "builtins.max": lambda *a: max(*map(_short, a)),
    "builtins.abs": abs,
    "builtins.hex": hex,
    "builtins.repr": repr,
    "builtins.str.maketrans": str.maketrans,
    "os.path.join": posixpath.join,
    "os.path.abspath": posixpath.normpath,
    "os.path.normpath": posixpath.normpath,
    "os.path.realpath": posixpath.normpath,
    "os.path.expanduser": str,
    "operator.add": operator.add,
    "operator.concat": operator.concat,
    "operator.xor": operator.xor,
}


def binary(operation: ast.operator, left: Any, right: Any) -> Any:
    """Fold ``left operation right``.

    Raises:
        NotConstant: It cannot be folded; Oversized where a huge sequence would come out.
    """
    if isinstance(operation, ast.Mult):
        for sequence, times in ((left, right), (right, left)):
            repeated = isinstance(sequence, SEQUENCES) and isinstance(times, int)
            if repeated and max(len(sequence), weight(sequence)) * times >= LARGEST:
                raise Oversized(len(sequence) * times)
    grows = isinstance(operation, ast.Pow | ast.LShift)
    if grows and not (isinstance(right, int) and 0 <= right <= LARGEST_INTEGER_BITS):
        raise NotConstant
    if isinstance(operation, ast.Mod) and isinstance(left, str | bytes):
        _check_template(left, right)
    function = OPERATORS.get(type(operation))
    if function is None:
        raise NotConstant
    return guarded(function, left, right)


def method(receiver: Any, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Fold a method of a constant.

    Raises:
        NotConstant: Not a pure method, or it fails.
    """
    if name not in METHODS or not isinstance(receiver, str | bytes | bytearray | dict | list):
        raise NotConstant
    if name == "join" and arguments:
        _check(len(receiver) * len(guarded(list, arguments[0])))
    elif name in ("replace", "translate") and arguments:
        _check((len(receiver) + 1) * (weight(arguments[-1]) + weight(arguments[:2])))
    elif name == "zfill":
        raise NotConstant
    elif name == "format":
        _check_template(receiver, [*arguments, *keywords.values()])
    elif name == "encode" and arguments and arguments[0] not in CODECS:
        raise NotConstant
    if name == "decode":
        return guarded(_codec, receiver, *(arguments or ("utf-8",)))
    return guarded(getattr(receiver, name), *arguments, **keywords)


def function(path: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Fold a call of a listed function.

    Raises:
        NotConstant: Not listed, or it fails.
    """
    found = FUNCTIONS.get(path) or DECODERS.get(path)
    if found is None:
        raise NotConstant
    return guarded(found, *arguments, **keywords)


def mapped(path: str, columns: Sequence[Any]) -> list[Any]:
    """Fold ``list(map(function, *columns))``.

    Raises:
        NotConstant: It fails or is large.
    """
    rows = zip(*(guarded(list, column) for column in columns), strict=False)
    return [function(path, row, {}) for row in rows]


def joined(parts: Sequence[Any]) -> str:
    """Fold the parts of an f-string.

    Raises:
        NotConstant: They are long.
    """
    _check(sum(map(weight, parts)))
    return "".join(map(str, parts))


def sketched(separator: str, parts: Sequence[str | None]) -> str:
    """Join what is known, with ``?`` for the rest; cut where it grows long."""
    known = ["?" if part is None else part for part in parts]
    size = sum(map(len, known)) + len(separator) * len(known)
    return separator.join(known) if size <= LARGEST else "?"


def blanks(template: str) -> str:
    """A format template with ``?`` where something is filled in."""
    return re.sub(r"%[-+ #0-9.]*[a-zA-Z]|\{[^{}]*\}", "?", template)


def formatted(value: Any, conversion: int, spec: str) -> str:
    """Fold one field of an f-string.

    Raises:
        NotConstant: It fails or would be wide.
    """
    if any(c.isdigit() for c in spec):
        raise NotConstant
    shown = {115: str, 114: repr, 97: ascii}.get(conversion, lambda v: v)(value)
    return str(guarded(format, shown, spec))


def guarded(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a pure function and refuse failures and outsized results.

    Raises:
        NotConstant: It raised, or gave something large or not simple.
    """
    try:
        result = function(*arguments, **keywords)
        if type(result) in VIEWS:
            result = list(result)
        heavy = not isinstance(result, range) and weight(result) > LARGEST
        long = isinstance(result, Sized) and len(result) > LARGEST
    except NotConstant:
        raise
    except Exception as error:  # whatever the program would have raised
        raise NotConstant from error
    if heavy or long or not isinstance(result, SIMPLE):
        raise NotConstant
    return result


def weight(value: Any) -> int:
    """Characters, bytes, elements and digits of a constant, with everything inside it."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, dict):
        return sum(1 + weight(k) + weight(v) for k, v in value.items())
    if isinstance(value, list | tuple | set):
        return sum(1 + weight(item) for item in value)
    if isinstance(value, int) and value.bit_length() > LARGEST_INTEGER_BITS:
        return LARGEST + 1
    return 1


def _check(size: int) -> None:
    if size > LARGEST:
        raise NotConstant


def _check_template(template: Any, filling: Any) -> None:
    """Formats are bombs when they ask for a width, or repeat something long."""
    text = template.decode("latin-1") if isinstance(template, bytes | bytearray) else template
    if re.search(r"%[^a-zA-Z%]*[0-9*]|\{[^{}]*:[^{}]*[0-9{]", text):
        raise NotConstant
    _check(len(text) + (text.count("%") + text.count("{")) * weight(filling))


def _codec(data: Any, how: str = "utf-8", errors: str = "strict") -> Any:
    name = how.lower().replace("_", "-")
    if name not in CODECS:
        raise NotConstant
    return codecs.decode(data, how, errors)


def _short(iterable: Any) -> Any:
    """The iterable, unless going through it would take long."""
    if isinstance(iterable, Sized) and len(iterable) > LARGEST:
        raise NotConstant
    return iterable


def _bytes(kind: type, *arguments: Any) -> Any:
    if arguments and isinstance(arguments[0], int) and arguments[0] > LARGEST:
        raise Oversized(arguments[0])
    return kind(*arguments)


def _expand(decompressor: Any, data: bytes) -> bytes:
    result: bytes = decompressor.decompress(data, LARGEST)
    return result
