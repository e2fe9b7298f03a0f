"""The only language spoken across the trust boundary: tagged data of exact builtin types.

``encode`` turns None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set,
frozenset and range into bytes; ``decode`` rebuilds fresh objects of exactly these types. An object
with its own ``__eq__`` therefore never reaches the side that compares. Iterators (generators,
``map``, ``zip`` ...) cross as iterators over a list of what they yielded.

``decode`` reads hostile bytes: every length is checked against what is there, depth is bounded,
and whatever is malformed raises ``ValueError``.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

MAX_BYTES = 8 << 20
MAX_DEPTH = 150

_LENGTH = struct.Struct("<I")
_INT64 = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_SEQUENCE_TAGS: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"F"}
_INT_LIST_FROM = 8  # shorter lists gain nothing from the packed form


class CannotCross(TypeError):
    """The value is not plain data, is too deep or too large."""


def encode(value: object, *, demote: bool = False, limit: int = MAX_BYTES) -> bytes:
    """Plain data as bytes.

    Args:
        value: what to send.
        demote: send instances of subclasses (Counter, IntEnum, namedtuple ...) as their builtin
            base, iterators and views as what they yield; otherwise these are refused.
        limit: largest result in bytes.

    Raises:
        CannotCross: the value is not plain data, too deep, or too large.
    """
    out = bytearray()
    _put(out, value, MAX_DEPTH, demote, limit)
    if len(out) > limit:
        raise CannotCross(f"the value is larger than {limit} bytes")
    return bytes(out)


def _put(out: bytearray, value: Any, depth: int, demote: bool, limit: int) -> None:
    kind = type(value)
    if kind is int:
        if _INT64_MIN <= value <= _INT64_MAX:
            out += b"i" + _INT64.pack(value)
        else:
            raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            out += b"n" + _LENGTH.pack(len(raw)) + raw
    elif kind is str:
        raw = value.encode("utf-8", "surrogatepass")
        out += b"s" + _LENGTH.pack(len(raw)) + raw
    elif value is None:
        out += b"N"
    elif kind is bool:
        out += b"T" if value else b"f"
    elif kind is float:
        out += b"d" + _FLOAT.pack(value)
    elif kind in _SEQUENCE_TAGS:
        _put_sequence(out, value, kind, depth, demote, limit)
    elif kind is dict:
        _put_header(out, b"m", len(value), depth, limit)
        for key, item in value.items():
            _put(out, key, depth - 1, demote, limit)
            _put(out, item, depth - 1, demote, limit)
    elif kind is bytes or kind is bytearray:
        out += (b"b" if kind is bytes else b"a") + _LENGTH.pack(len(value)) + value
    elif kind is complex:
        out += b"c" + _COMPLEX.pack(value.real, value.imag)
    elif kind is range:
        out += b"r"
        for number in (value.start, value.stop, value.step):
            _put(out, number, depth - 1, demote, limit)
    elif demote:
        _put_demoted(out, value, depth, limit)
    else:
        raise CannotCross(f"a value of type {kind.__name__} is not plain data")


def _put_header(out: bytearray, tag: bytes, length: int, depth: int, limit: int) -> None:
    if depth <= 0:
        raise CannotCross(f"the value is nested deeper than {MAX_DEPTH} levels")
    if len(out) + length > limit:
        raise CannotCross(f"the value is larger than {limit} bytes")
    out += tag + _LENGTH.pack(length)


def _put_sequence(
    out: bytearray, value: Any, kind: type, depth: int, demote: bool, limit: int
) -> None:
    length = len(value)
    if kind is list and length >= _INT_LIST_FROM and set(map(type, value)) == {int}:
        try:
            raw = struct.pack(f"<{length}q", *value)
        except struct.error:  # an integer beyond 64 bits: take the general form
            pass
        else:
            _put_header(out, b"I", length, depth, limit)
            out += raw
            return
    _put_header(out, _SEQUENCE_TAGS[kind], length, depth, limit)
    for item in value:
        _put(out, item, depth - 1, demote, limit)
        if len(out) > limit:
            raise CannotCross(f"the value is larger than {limit} bytes")


def _put_demoted(out: bytearray, value: Any, depth: int, limit: int) -> None:
    """A subclass as its builtin base, a view or deque as a list, an iterator as an iterator."""
    scalar: Any
    for scalar in (int, float, complex, str, bytes, bytearray):
        if isinstance(value, scalar):
            return _put(out, scalar(value), depth, True, limit)
    if isinstance(value, Mapping):
        return _put(out, dict(value.items()), depth, True, limit)
    container: Any
    for container in (list, tuple, frozenset, set):
        if isinstance(value, container):
            return _put(out, container(value), depth, True, limit)
    if isinstance(value, Set):
        return _put(out, set(value), depth, True, limit)
    if isinstance(value, deque | Sequence) or type(value).__name__ == "dict_values":
        return _put(out, list(value), depth, True, limit)
    if isinstance(value, Iterator):
        items = []
        for item in value:
            items.append(item)
            if len(items) > limit // 2:
                raise CannotCross("the iterator yields too many values")
        out += b"g"
        return _put(out, items, depth - 1, True, limit)
    raise CannotCross(f"a value of type {type(value).__name__} is not plain data")


def decode(data: bytes) -> Any:
    """The value that ``encode`` wrote, as fresh objects of exact builtin types.

    Raises:
        ValueError: the bytes are malformed, truncated, too deep, or longer than the value.
    """
    try:
        value, end = _get(data, 0, MAX_DEPTH)
    except (IndexError, struct.error, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"malformed data: {error}") from None
    if end != len(data):
        raise ValueError(f"malformed data: {len(data) - end} bytes follow the value")
    return value


_CONSTANTS: dict[int, object] = {ord("N"): None, ord("T"): True, ord("f"): False}
_BUILDERS: dict[int, Callable[[list[Any]], Any]] = {
    ord("t"): tuple,
    ord("S"): set,
    ord("F"): frozenset,
}


def _get(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    tag = data[at]
    at += 1
    if tag == 0x69:  # i
        return _INT64.unpack_from(data, at)[0], at + 8
    if tag == 0x73:  # s
        raw, at = _get_raw(data, at)
        return raw.decode("utf-8", "surrogatepass"), at
    if tag == 0x64:  # d
        return _FLOAT.unpack_from(data, at)[0], at + 8
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in b"nba":
        raw, at = _get_raw(data, at)
        if tag == 0x6E:  # n
            return int.from_bytes(raw, "little", signed=True), at
        return (raw if tag == 0x62 else bytearray(raw)), at
    if tag == 0x63:  # c
        return complex(*_COMPLEX.unpack_from(data, at)), at + 16
    if depth <= 0:
        raise ValueError(f"malformed data: nested deeper than {MAX_DEPTH} levels")
    return _get_container(data, at, tag, depth)


def _get_raw(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    at += 4
    if at + length > len(data):
        raise ValueError("malformed data: truncated")
    return bytes(data[at : at + length]), at + length


def _get_container(data: bytes, at: int, tag: int, depth: int) -> tuple[Any, int]:
    if tag == 0x72:  # r
        bounds = []
        for _ in range(3):
            number, at = _get(data, at, depth - 1)
            bounds.append(number)
        return range(*bounds), at
    if tag == 0x67:  # g
        items, at = _get(data, at, depth - 1)
        return iter(items), at
    (length,) = _LENGTH.unpack_from(data, at)
    at += 4
    if length > len(data) - at:  # every element takes at least one byte
        raise ValueError("malformed data: truncated")
    if tag == 0x49:  # I
        return list(struct.unpack_from(f"<{length}q", data, at)), at + 8 * length
    if tag == 0x6D:  # m
        mapping = {}
        for _ in range(length):
            key, at = _get(data, at, depth - 1)
            mapping[key], at = _get(data, at, depth - 1)
        return mapping, at
    if tag != 0x6C and tag not in _BUILDERS:
        raise ValueError(f"malformed data: unknown tag {tag}")
    items = []
    for _ in range(length):
        item, at = _get(data, at, depth - 1)
        items.append(item)
    return (items if tag == 0x6C else _BUILDERS[tag](items)), at


def overwrite(target: Any, source: Any) -> None:
    """Make ``target`` equal ``source`` in place, keeping inner lists, dicts and sets themselves.

    Args:
        target: the caller's argument as it was sent.
        source: its state after the call, as it came back.
    """
    kind = type(target)
    if kind is not type(source):
        return
    if kind is list:
        target[:] = [_reuse(old, new) for old, new in zip(target, source, strict=False)] + source[
            len(target) :
        ]
    elif kind is dict:
        kept = {key: _reuse(target.get(key), new) for key, new in source.items()}
        target.clear()
        target.update(kept)
    elif kind is set:
        target.clear()
        target.update(source)
    elif kind is bytearray:
        target[:] = source
    elif kind is tuple and len(target) == len(source):
        for old, new in zip(target, source, strict=True):
            overwrite(old, new)


def _reuse(old: Any, new: Any) -> Any:
    """The old container with the new content, or the new value where the kinds differ."""
    if type(old) is type(new) and type(old) in (list, dict, set, bytearray):
        overwrite(old, new)
        return old
    return new
