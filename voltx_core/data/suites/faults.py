"""Rows that are known to be wrong or unfair as published, and why.

The judge finds them by itself, because their references fail or need to run beside the tests;
this says what a person found when looking. Rows are listed under our ids.
"""

_OWN_CLASS = (
    "the tests build objects of a class that only the reference defines and the task text does not "
    "mention"
)

FAULTS: dict[str, str] = {
    "mbpp/367": _OWN_CLASS,
    "mbpp/601": _OWN_CLASS,
    "mbpp/927": _OWN_CLASS,
    "humaneval-x/JavaScript/112": (
        "the reference returns (z, true), which is JavaScript's comma operator: one value, where "
        "the test wants two"
    ),
    "humaneval-x/JavaScript/155": "the reference counts no digit in 0, and the test wants [1, 0]",
    "mbxp-javascript/921": "the reference calls lodash, which only the published test brings along",
}
