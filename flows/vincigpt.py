"""vinciGPT: `prefect deployment run vincigpt/train`.

    8.1 corpus ─ 8.2 vinciGPT

A graph of its own beside the one of Volt X: same store, same stages. Asked for the baseline, the
flow trains the same transformer on the problems of Volt X instead, with equal tokens and FLOPs, and
visits what decides its budget.
"""

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.soft_core import soft_core
from flows.translator import data, translator
from tasks.conclusion import conclude
from tasks.dispatch import Waits, run_stage
from tasks.run import Run, begin, run_name
from voltx_core.config.vincigpt import Ablation, VinciGPTPreset, translated


def corpus(run: Run) -> Waits:
    """Texts, tokenizer, and the stream of tokens."""
    return run_stage(run, "vincigpt_corpus", "8.1 · corpus")


def language_model(run: Run, *after: Waits) -> Waits:
    """Train the transformer on the stream."""
    return run_stage(run, "vincigpt", "8.2 · vinciGPT", *after)


def baseline(run: Run, *after: Waits) -> Waits:
    """Train the transformer with the tokens and FLOPs that translator and soft core had."""
    return run_stage(run, "baseline", "5.0 · baseline", *after)


@flow(
    name="vincigpt",
    flow_run_name=run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=8),
    persist_result=False,
)
def vincigpt(
    preset: VinciGPTPreset = "laptop",
    ablations: list[Ablation] | None = None,
    overrides: dict[str, Any] | None = None,
    as_baseline: bool = False,
    force: list[str] | None = None,
    rehearse_s: float | None = None,
) -> None:
    """Train vinciGPT, from texts to a model that writes.

    Args:
        preset: tiny is for tests, laptop takes minutes on 2 cores, h100-1h is 110 million
            parameters on TinyStories in about an hour of one H100.
        ablations: Changes of one thing each: no-mask, relu2, muon.
        overrides: Settings to change, by dotted key, such as {"vincigpt.steps": 900}.
        as_baseline: Train it as the baseline of Volt X (5.0) instead, with the same tokens and
            FLOPs, and first whatever decides its budget.
        force: Do the work of these stages even though committed results exist.
        rehearse_s: Every stage waits this many seconds instead of working. Empty means real work.
    """
    size, changes = translated(preset, ablations or (), overrides or {})
    wanted = "baseline" if as_baseline else "vincigpt"
    with begin(size, changes, [wanted], None, force, rehearse_s) as run:
        read = corpus(run)
        learned = language_model(run, read)

        sources = data(run)
        language = translator(run, sources)
        core = soft_core(run, language)
        rival = baseline(run, core)

        conclude(run, read, learned, sources, language, core, rival)
