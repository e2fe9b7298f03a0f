"""The whole graph: `prefect deployment run voltx/full`, or `voltx run`.

    1.0 data ─ 1 translator ─┬─ 0.3 codebook ─┬─┬─ 3.1 router ────┐
                             └─ 2 soft core ──┘ ├─ 3.2 certainty ─┼─ 4.1 e2e ─ 4.2 rlvf ─┐
                                      │         └─ 3.3 safety ────┘                      │
                                      │   ┌──────────────────────────────────────────────┘
                                      │   └─ 4.3 sleep ─ 5.1 scaling ─┬─ 5.2a JavaScript ─┐
                                      │                               ├─ 5.2b Java ───────┤
                                      │                               └─ 5.2c Rust, Go ───┤
                                      └─ 5.0 baseline ────────────────────────────────────┴─ 5.3

Names are stages; every line of the flow submits one and names what comes before it.
"""

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows import alignment, hard_core, languages
from flows.benchmarks import benchmarks
from flows.codebook import codebook
from flows.scaling import scaling
from flows.soft_core import soft_core
from flows.translator import data, translator
from flows.vincigpt import baseline
from tasks.conclusion import conclude
from tasks.run import begin, run_name
from voltx_core.config import PresetName
from voltx_core.stages import graph


@flow(
    name="voltx",
    flow_run_name=run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=32),
    persist_result=False,
)
def voltx(
    preset: PresetName = "laptop",
    overrides: dict[str, Any] | None = None,
    only: list[str] | None = None,
    until: str | None = None,
    force: list[str] | None = None,
    rehearse_s: float | None = None,
) -> None:
    """Train the code model from raw sources to a benchmark report, stage by stage.

    Finished stages are reused; a stage that dies goes on from its last checkpoint.

    Args:
        preset: tiny is for tests, laptop takes minutes on 2 cores, single-gpu a day, cloud is the
            training plan itself.
        overrides: Settings to change, by dotted key, such as {"soft_core.steps": 900}. The command
            voltx plan says what they would cost.
        only: Only these stages (names or numbers) and all they need. Empty means every stage.
        until: Stop after this stage (name or number). Empty means to the end.
        force: Do the work of these stages even though committed results exist.
        rehearse_s: Every stage waits this many seconds in its own process instead of working,
            which shows that server, pools and workers play together. Empty means real work.

    Raises:
        ConfigError: A stage of another graph was asked for, or one that does not exist.
    """
    graph.refuse_aside([*(only or ()), *([until] if until else ()), *(force or ())])
    with begin(preset, overrides, only, until, force, rehearse_s) as run:
        sources = data(run)
        language = translator(run, sources)

        codes = codebook(run, language)
        core = soft_core(run, language)
        rival = baseline(run, core)  # beside everything up to the benchmarks

        routed = hard_core.router(run, codes, core)
        trusted = hard_core.certainty(run, codes, core)
        guarded = hard_core.safety(run, codes, core)

        practised = alignment.e2e(run, routed, trusted, guarded)
        rewarded = alignment.rlvf(run, practised)
        rested = alignment.sleep(run, rewarded)

        grown = scaling(run, rested)
        javascript = languages.javascript(run, grown)
        java = languages.java(run, grown)
        rust_go = languages.rust_go(run, grown)

        examined = benchmarks(run, javascript, java, rust_go, rival)

        conclude(
            run,
            *(sources, language, codes, core, rival),
            *(routed, trusted, guarded),
            *(practised, rewarded, rested),
            *(grown, javascript, java, rust_go, examined),
        )
