"""CLRS-30 as text: run a textbook algorithm in your head (Markeeva et al. 2024, Apache-2.0).

Published as ``clrs30_text*.jsonl`` with ``prompt, references, auxiliary``. A prompt names the
algorithm, its inputs and the first state of the trace; the answer is the remaining states, a
``|``, and the result. The result decides; the states before it are how one gets there.
"""

from pathlib import Path

from voltx_core.data.jsonl import Row
from voltx_core.data.suites.answers import AnswerItem, final_answer
from voltx_core.data.suites.rows import published_rows, suite_traits
from voltx_core.errors import DataError

PATTERN = "clrs30_text*.jsonl"
SPLITS = ("dev",)


def load_clrs(path: Path) -> list[AnswerItem]:
    """All items, named ``clrs/<algorithm>/<length>/<seed>``, with ``/2`` and so on behind repeats.

    Raises:
        DataError: the file is not CLRS-30 text as published, or a reference cannot be read.
    """
    seen: dict[str, int] = {}
    items = []
    for number, row in enumerate(published_rows(path, "prompt", "references", "auxiliary"), 1):
        try:
            facts = row["auxiliary"]
            name = f"clrs/{facts['algorithm']}/{facts['length']}/{facts['seed']}"
            (reference,) = row["references"]
            final_answer(reference)
        except (KeyError, TypeError, ValueError) as problem:
            raise DataError(
                f"{path}: row {number} is not CLRS-30 text as published ({problem}). Fetch or "
                f"generate the original file."
            ) from problem
        seen[name] = seen.get(name, 0) + 1
        items.append(_item(row, name if seen[name] == 1 else f"{name}/{seen[name]}", reference))
    return items


def _item(row: Row, name: str, reference: str) -> AnswerItem:
    facts = row["auxiliary"]
    return AnswerItem(
        id=name,
        query=row["prompt"],
        answer=reference,
        form="trace",
        source="clrs",
        traits=suite_traits(
            licence="Apache-2.0",
            split="dev",
            exam=True,
            train_allowed=False,
            algorithm=facts["algorithm"],
            length=facts["length"],
        ),
    )
