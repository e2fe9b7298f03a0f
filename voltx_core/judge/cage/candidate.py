"""The hostile side: a process that loads the candidate's code and answers calls to it.

Whatever the code does here, it can only choose which data it answers with. The process holds no
test, no expected value and no descriptor but its two ends of the channel.
"""

import builtins
import marshal
import os
import struct
import sys
import types
from typing import Any

from .frames import ChannelClosed, read_exact, receive, send
from .jail import Fence
from .values import MAX_BYTES, CannotCross, decode, encode

LIMITS = struct.Struct("<dII")
"""What comes first: CPU seconds, MiB of memory, and the length of what follows."""

INCOMING, OUTGOING = 3, 4
FRAME_LIMIT = MAX_BYTES + 4096
_MAX_MESSAGE = 2000
_MAX_DESCRIPTOR = 1024
_PLAIN = (int, str, float, bool, type(None), bytes, complex, range)


def serve(fence: Fence, incoming: int, outgoing: int) -> None:
    """Load the code that comes first, then answer calls until the channel closes.

    Args:
        fence: to be closed at once; its limits, before anything hostile is read.
        incoming: descriptor to read from, 5 or higher; it becomes 3.
        outgoing: descriptor to write to, 5 or higher; it becomes 4. 0 to 2 stay, others are closed.
    """
    os.dup2(incoming, INCOMING)
    os.dup2(outgoing, OUTGOING)
    os.closerange(OUTGOING + 1, _MAX_DESCRIPTOR)
    fence.close()
    cpu_s, memory_mib, length = LIMITS.unpack(read_exact(INCOMING, LIMITS.size))
    fence.limit(cpu_s, memory_mib)
    # That the code is read proves to the checker that confinement is complete.
    perform(INCOMING, length, OUTGOING)


def perform(incoming: int, length: int, outgoing: int) -> None:
    """Load the code, whose order has so many bytes, and answer calls."""
    code, setup, wanted = marshal.loads(read_exact(incoming, length))
    module = fresh_module("candidate")
    try:
        compiled = compile(code, "<candidate>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        send(outgoing, encode(("syntax", f"{type(error).__name__}: {error}")))
        return
    try:
        if setup:
            exec(compile(setup, "<setup>", "exec"), module.__dict__)
        exec(compiled, module.__dict__)
        functions, constants = _describe(module.__dict__, wanted)
    except BaseException as error:
        send(outgoing, encode(("raised", *describe(error))))
        return
    send(outgoing, encode(("ready", functions, constants)))
    _answer(module.__dict__, incoming, outgoing)


def fresh_module(name: str) -> types.ModuleType:
    """An empty module to run the code in; the zygote has left ``random`` in a known state."""
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    return module


def _describe(namespace: dict[str, Any], wanted: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Which wanted names can be called, and the plain values of those that cannot."""
    functions: list[str] = []
    constants: dict[str, Any] = {}
    for name in wanted:
        value = resolve(namespace, name)
        if callable(value):
            functions.append(name)
        elif name in namespace:
            try:
                constants[name] = decode(encode(value, demote=True))
            except CannotCross:
                continue
    return functions, constants


def resolve(namespace: dict[str, Any], name: str) -> Any:
    """A top-level name, or a method of a fresh ``Solution`` as some exercises have it."""
    if name in namespace:
        return namespace[name]
    solution = namespace.get("Solution")
    return getattr(solution(), name, None) if isinstance(solution, type) else None


def _answer(namespace: dict[str, Any], incoming: int, outgoing: int) -> None:
    while True:
        try:
            name, args, kwargs = decode(receive(incoming, FRAME_LIMIT))
        except ChannelClosed:
            return
        try:
            reply = _call(namespace, name, args, kwargs)
        except BaseException as error:
            reply = encode(("raised", *describe(error)))
        send(outgoing, reply)


def _call(
    namespace: dict[str, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bytes:
    function = resolve(namespace, name)
    mutable = any(type(value) not in _PLAIN for value in (*args, *kwargs.values()))
    before = _snapshot(args, kwargs) if mutable else b""
    result = function(*args, **kwargs)
    encoded = encode(result, demote=True)
    # The result first: walking an iterator can change the arguments too.
    changed = mutable and _snapshot(args, kwargs) != before
    after = encode((args, kwargs), demote=True) if changed else b""
    return encode(("returned", encoded, after), limit=FRAME_LIMIT)


def _snapshot(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Something that differs once the arguments have been changed."""
    try:
        return marshal.dumps((args, kwargs), 2)
    except ValueError:  # they hold what only the channel's own form can
        return encode((args, kwargs), demote=True)


def describe(error: BaseException) -> tuple[list[str], tuple[Any, ...], str]:
    """Builtin classes of an exception, nearest first, its arguments if plain, and its text."""
    names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    try:
        text = f"{type(error).__name__}: {error}"[:_MAX_MESSAGE]
    except Exception:
        text = type(error).__name__
    try:
        args = decode(encode(error.args, demote=True, limit=_MAX_MESSAGE))
    except (CannotCross, ValueError, RecursionError):
        args = (text,)
    return names, args, text


def run_program(code: str, setup: str) -> None:
    """A whole program on descriptors 0, 1 and 2, as ``python program.py`` would run it."""
    module = fresh_module("__main__")
    status = 0
    try:
        if setup:
            exec(compile(setup, "<setup>", "exec"), module.__dict__)
        exec(compile(code, "<candidate>", "exec"), module.__dict__)
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        status = 1
        os.write(2, describe(error)[2].encode("utf-8", "replace"))
    try:
        sys.stdout.flush()
    finally:
        os._exit(status & 0xFF)
