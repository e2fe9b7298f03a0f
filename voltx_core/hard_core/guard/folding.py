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
import urllib.parse
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from voltx_core.hard_core.guard.values import words

LARGEST = 1 << 16
"""Most characters, bytes or elements of a folded constant."""
LARGEST_INTEGER_BITS = 256
SIMPLE = (str, bytes, bytearray, int, float, bool, type(None), list, tuple, dict, set, range)


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
    "builtins.list": list,
    "builtins.tuple": tuple,
    "builtins.reversed": lambda x: list(reversed(x)),
    "builtins.sorted": lambda x: sorted(x),
    "builtins.range": range,
    "builtins.zip": lambda *a: list(zip(*a)),  # noqa: B905 - zip as the program means it
    "builtins.enumerate": lambda *a: list(enumerate(*a)),
    "builtins.sum": sum,
    "builtins.min": min,
    "builtins.max": max,
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
            repeats = isinstance(sequence, str | bytes | list | tuple) and isinstance(times, int)
            if repeats and len(sequence) * times > LARGEST:
                raise Oversized(len(sequence) * times)
    if isinstance(operation, ast.Pow) and not (
        isinstance(right, int) and 0 <= right <= LARGEST_INTEGER_BITS
    ):
        raise NotConstant
    if isinstance(operation, ast.LShift) and not (
        isinstance(right, int) and 0 <= right <= LARGEST_INTEGER_BITS
    ):
        raise NotConstant
    if isinstance(operation, ast.Mod) and isinstance(left, str | bytes) and _wide(left):
        raise NotConstant
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
    if name in ("format", "zfill") and (_wide(receiver) or name == "zfill"):
        raise NotConstant
    if name == "replace" and len(arguments) > 1 and len(arguments[0]) == 0:
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
    except Exception as error:  # whatever the program would have raised
        raise NotConstant from error
    if type(result) in (type({}.keys()), type({}.values()), type({}.items())):
        result = list(result)
    if not isinstance(result, SIMPLE):
        raise NotConstant
    if isinstance(result, int) and result.bit_length() > LARGEST_INTEGER_BITS:
        raise NotConstant
    if hasattr(result, "__len__") and len(result) > LARGEST:
        raise Oversized(len(result))
    return result


def _wide(template: Any) -> bool:
    """Whether a format could ask for a width: '%999999999d' and '{:999999999}' are bombs."""
    text = template.decode("latin-1") if isinstance(template, bytes | bytearray) else str(template)
    return any(c.isdigit() or c == "*" for c in text) and ("%" in text or ":" in text)


def _codec(data: Any, how: str = "utf-8", errors: str = "strict") -> Any:
    name = codecs.lookup(how).name
    if name in ("zlib", "bz2"):
        raise NotConstant
    return codecs.decode(data, name, errors)


def _bytes(kind: type, *arguments: Any) -> Any:
    if arguments and isinstance(arguments[0], int) and arguments[0] > LARGEST:
        raise Oversized(arguments[0])
    return kind(*arguments)


def _expand(decompressor: Any, data: bytes) -> bytes:
    result: bytes = decompressor.decompress(data, LARGEST)
    return result
