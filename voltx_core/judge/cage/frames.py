"""Length-prefixed frames over pipes and sockets, by descriptor."""

import mmap
import os
import struct

HEADER = struct.Struct("<I")


class ChannelClosed(EOFError):
    """The other side is gone."""


def read_exact(fd: int, size: int) -> bytes:
    """Exactly ``size`` bytes.

    Raises:
        ChannelClosed: the stream ended before.
    """
    parts: list[bytes] = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise ChannelClosed
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_into(fd: int, buffer: mmap.mmap) -> None:
    """As many bytes as the buffer holds, straight into it.

    Raises:
        ChannelClosed: the stream ended before.
    """
    view = memoryview(buffer)
    while view:
        size = os.readv(fd, [view])
        if not size:
            raise ChannelClosed
        view = view[size:]


def write_all(fd: int, data: bytes) -> None:
    """All of ``data``, however many writes it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def send(fd: int, payload: bytes) -> None:
    """One frame."""
    write_all(fd, HEADER.pack(len(payload)) + payload)


def receive(fd: int, limit: int) -> bytes:
    """The payload of one frame.

    Raises:
        ChannelClosed: the stream ended.
        ValueError: the frame announces more than ``limit`` bytes.
    """
    (size,) = HEADER.unpack(read_exact(fd, HEADER.size))
    if size > limit:
        raise ValueError(f"a frame of {size} bytes is over the limit of {limit}")
    return read_exact(fd, size)
