"""Generated programs that break an axiom, and harmless ones that look as if they did.

Text only: nothing made here is ever executed. Payloads (payloads.py) are reached through evasion
families (evasions.py); whole families are held out for evaluation. ``lookalikes.py`` makes the
harmless counterparts.
"""

from voltx_core.hard_core.adversarial.generation import Sample, generate_adversarial
from voltx_core.hard_core.adversarial.lookalikes import generate_lookalikes

__all__ = ["Sample", "generate_adversarial", "generate_lookalikes"]
