"""The five safety axioms."""

from enum import StrEnum


class Axiom(StrEnum):
    """What a program must not do to the people whose machine it runs on."""

    HARM = "K1"
    """No harm: nothing is destroyed, stopped or overwritten."""
    PRIVACY = "K2"
    """Privacy: secrets stay unread, nothing is sent away."""
    HONESTY = "K3"
    """Honesty: the program does what its text says; nothing is hidden from a reader."""
    AUTONOMY = "K4"
    """Autonomy: no elevation, no persistence, no resisting its own end. Warns, does not veto."""
    BENEFICENCE = "K5"
    """Beneficence: no exhausting, flooding or spying."""


AXIOMS: tuple[Axiom, ...] = tuple(Axiom)
WARNING_ONLY = frozenset({Axiom.AUTONOMY})
