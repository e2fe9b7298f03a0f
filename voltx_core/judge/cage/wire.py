"""What the judge and a slot say to each other.

On the request socket the judge sends ``ORDER`` (kind, length of what follows, wall limit) and that
many bytes of order; the zygote answers ``TRAILER`` once everything is over. Whoever takes the order
off the wire writes ``TAKEN`` to the report pipe, and later one frame.
"""

import struct

ORDER = struct.Struct("<cId")
CALLS, BESIDE, SCRIPT, STEPS = b"c", b"b", b"s", b"x"
"""Kinds of orders: tests apart from the candidate, beside it, whole programs, other languages."""

TAKEN = b"R"

TRAILER = struct.Struct("<ccbd")
"""How it ended, whether the slot can go on, exit code, CPU seconds of a candidate of ``CALLS``."""

FINISHED, DIED, OVERDUE, FAULT = b"f", b"d", b"o", b"e"
READY, SPENT = b"+", b"-"
