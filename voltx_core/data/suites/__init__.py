"""Published problem sets, converted from the files their authors released.

One module per set, all giving `Problem`s. What every converted problem keeps to:

- ``solution`` (and so any candidate) is a complete module: signature, body, closing braces,
  imports. It is ``""`` where the set publishes none, or none that was accepted.
- A test is statements of the problem's language, run after the candidate, that throw or panic when
  it is wrong. They need the bare toolchain only; imports of Go tests are in ``setup``.
- ``traits`` always holds ``exam`` (a score is reported on it), ``train_allowed`` (licence and
  split permit training), ``licence`` and ``split``.
- Further traits where they apply: ``requires``: packages that prompt or tests import and a bare
  toolchain lacks; ``reference_requires``: the same of the reference alone; ``completion``: how a
  model's text becomes a program (see `completion.assemble`); ``assurance`` = ``inproc``: the tests
  cannot run in another process than the candidate.

Sets that ask for an answer instead of a program give `AnswerItem`s.
"""

from voltx_core.data.suites.answers import AnswerItem, compare
from voltx_core.data.suites.apps import load_apps, read_candidates
from voltx_core.data.suites.catalogue import (
    available_answer_suites,
    available_suites,
    load_answers,
    load_suite,
)
from voltx_core.data.suites.clrs import load_clrs
from voltx_core.data.suites.completion import assemble
from voltx_core.data.suites.defects import load_defects
from voltx_core.data.suites.ds1000 import load_ds1000
from voltx_core.data.suites.humaneval import load_humaneval
from voltx_core.data.suites.humaneval_x import load_humaneval_x
from voltx_core.data.suites.mathqa import load_mathqa
from voltx_core.data.suites.mbpp import load_mbpp
from voltx_core.data.suites.mbxp import load_mbxp
from voltx_core.data.suites.multipl_e import load_multipl_e
from voltx_core.data.suites.problem_sets import ProblemSet, open_sets

__all__ = [
    "AnswerItem",
    "ProblemSet",
    "assemble",
    "available_answer_suites",
    "available_suites",
    "compare",
    "load_answers",
    "load_apps",
    "load_clrs",
    "load_defects",
    "load_ds1000",
    "load_humaneval",
    "load_humaneval_x",
    "load_mathqa",
    "load_mbpp",
    "load_mbxp",
    "load_multipl_e",
    "load_suite",
    "open_sets",
    "read_candidates",
]
