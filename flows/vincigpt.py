"""vinciGPT, the transformer that Volt X is compared with: `prefect deployment run vincigpt/train`.

As a flow of its own it visits what the comparison at equal tokens and FLOPs needs, and no more.
"""

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.soft_core import soft_core
from flows.translator import data, translator
from tasks.conclusion import conclude
from tasks.dispatch import Waits, run_stage
from tasks.run import Run, begin, run_name
from voltx_core.config import PresetName


def baseline(run: Run, *after: Waits) -> Waits:
    """Train the transformer with the tokens and FLOPs that translator and soft core had."""
    return run_stage(run, "baseline", "5.0 · vinciGPT", *after)


@flow(
    name="vincigpt",
    flow_run_name=run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=8),
    persist_result=False,
)
def vincigpt(
    preset: PresetName = "laptop",
    overrides: dict[str, Any] | None = None,
    force: list[str] | None = None,
    rehearse_s: float | None = None,
) -> None:
    """Train the baseline, and first whatever decides its budget.

    Args:
        preset: tiny is for tests, laptop takes minutes on 2 cores, single-gpu a day, cloud is the
            training plan itself.
        overrides: Settings to change, by dotted key, such as {"baseline.layers": 6}.
        force: Do the work of these stages even though committed results exist.
        rehearse_s: Every stage waits this many seconds instead of working. Empty means real work.
    """
    with begin(preset, overrides, ["baseline"], None, force, rehearse_s) as run:
        sources = data(run)
        language = translator(run, sources)
        core = soft_core(run, language)
        rival = baseline(run, core)

        conclude(run, sources, language, core, rival)
