"""Hostile programs that try everything against the judge, in a throw-away cage of their own.

``run_attacks`` starts a process that locks itself away with canaries, listeners and secrets, lets
every attack of ``CATALOGUE`` loose on a judge there, and looks from outside at what became of them.
"""

from voltx_core.judge.attacks.attack import GROUPS, SIGNS, Attack
from voltx_core.judge.attacks.campaign import AttackReport, run_attacks
from voltx_core.judge.attacks.catalogue import CATALOGUE

__all__ = ["CATALOGUE", "GROUPS", "SIGNS", "Attack", "AttackReport", "run_attacks"]
