"""All attacks, by name."""

from voltx_core.judge.attacks import (
    escape,
    forging,
    network,
    reading,
    resources,
    stalling,
    writing,
)
from voltx_core.judge.attacks.attack import Attack

CATALOGUE: dict[str, Attack] = {
    attack.name: attack
    for module in (network, reading, writing, resources, stalling, escape, forging)
    for attack in module.ATTACKS
}
