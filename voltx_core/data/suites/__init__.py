"""Published problem sets, converted from the files their authors released.

One module per set, all giving `Problem`s. What every converted problem keeps to:

- ``solution`` (and so any candidate) is a complete module: signature, body, closing braces,
  imports. It is ``""`` where the set publishes none, or none that was accepted.
- A test is statements of the problem's language, run after the candidate, that throw or panic when
  it is wrong. They need the bare toolchain only; imports of Go tests are in ``setup``.
- ``traits`` always holds ``exam`` (a score is reported on it), ``train_allowed`` (licence and
  split permit training), ``licence`` and ``split``; sometimes ``requires``: packages the published
  code imports and a bare toolchain lacks.
"""

from voltx_core.data.suites.apps import load_apps, read_candidates
from voltx_core.data.suites.catalogue import available_suites, load_suite
from voltx_core.data.suites.humaneval import load_humaneval
from voltx_core.data.suites.humaneval_x import load_humaneval_x
from voltx_core.data.suites.mathqa import load_mathqa
from voltx_core.data.suites.mbpp import load_mbpp
from voltx_core.data.suites.mbxp import load_mbxp
from voltx_core.data.suites.multipl_e import load_multipl_e

__all__ = [
    "available_suites",
    "load_apps",
    "load_humaneval",
    "load_humaneval_x",
    "load_mathqa",
    "load_mbpp",
    "load_mbxp",
    "load_multipl_e",
    "load_suite",
    "read_candidates",
]
