"""From what a model wrote to the program the judge runs, as the suites' own tools do it.

The trait ``completion`` of a problem says what a completion is:

- ``continues``: the query is code, and the completion goes on where it ends (HumanEval and its
  translations). The trait ``closer`` is what the published tests put behind it (MultiPL-E stops
  generation before the closing brace).
- ``quoted``: the tests want the text itself (DS-1000).
- absent: the completion is the whole program (MBPP, APPS, problems of your own).
"""

from voltx_core.data.problem import Problem
from voltx_core.data.suites.ds1000 import quote_snippet
from voltx_core.data.suites.foreign_tests import go_module


def assemble(problem: Problem, text: str, *, whole: bool = False) -> str:
    """The program to judge.

    Args:
        problem: what was asked.
        text: what the model wrote.
        whole: it is a complete program rather than a completion (EvalPlus's ``solution``).
    """
    form = problem.traits.get("completion")
    if form == "quoted":
        return quote_snippet(text)
    if form != "continues":
        return text
    if not whole:
        text = f"{problem.query}\n{text}\n{problem.traits.get('closer', '')}"
    # Go refuses unused and missing imports, so the suites' tools write them anew too.
    return go_module(text) if problem.language == "go" else text
