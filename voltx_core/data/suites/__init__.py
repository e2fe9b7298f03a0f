"""Published problem sets, converted from the files their authors released.

One module per set, all giving `Problem`s. What every converted problem keeps to:

- ``solution`` (and so any candidate) is a complete module: signature, body, closing braces,
  imports. It is ``""`` where the set publishes none, or none that was accepted.
- A Python test is a snippet run after the candidate. A JavaScript, Java or Rust test is text
  appended to the candidate; together they are one program (``Main.java`` for Java) that ends with
  an error when the candidate is wrong. A Go test is a second file of ``package main`` for
  ``go test``.
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
