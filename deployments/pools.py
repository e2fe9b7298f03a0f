"""Work pools: where the parent flow and the stages run.

The job template names no path of a machine: `python` is the first on the worker's PATH, and the
project's folder comes from the worker's environment, so that one pool may span machines.
"""

from typing import Any, Literal

from voltx_core.errors import ConfigError
from voltx_core.stages.contract import Pool

CONTROL, CPU = "control", "voltx-cpu"
ENTRY = "tasks.process"
"""Module that every run is started with."""
Layout = Literal["one", "several"]


def pool_of(wanted: Pool, layout: Layout) -> str:
    """The work pool of a stage.

    Args:
        wanted: What the stage's spec asks for.
        layout: ``one`` machine serves every stage, or each kind of machine has its own pool.
    """
    return CPU if layout == "one" else f"voltx-{wanted}"


def pools(layout: Layout) -> tuple[str, ...]:
    """All pools of a layout, the control pool first."""
    kinds: tuple[Pool, ...] = ("cpu", "gpu", "multi-gpu")
    return (CONTROL, *dict.fromkeys(pool_of(kind, layout) for kind in kinds))


def named(text: str) -> str:
    """The work pool that somebody means: ``gpu``, or its whole name ``voltx-gpu``.

    Raises:
        ConfigError: There is no such pool for stages.
    """
    known = pools("several")[1:]
    name = text if text in known else f"voltx-{text}"
    if name not in known:
        kinds = ", ".join(pool.removeprefix("voltx-") for pool in known)
        raise ConfigError(f"No pool is called {text!r}. Those for stages are {kinds}.")
    return name


def served(layout: Layout) -> tuple[str, ...]:
    """Pools that the machine of the graph works for: all of them, or its own only."""
    return pools("one") if layout == "one" else (CONTROL,)


def job_template() -> dict[str, Any]:
    """How a worker starts the process of a run: our own entry."""
    from prefect.workers.process import ProcessWorker

    template: dict[str, Any] = ProcessWorker.get_default_base_job_template()
    template["job_configuration"]["command"] = f"python -m {ENTRY}"
    template["variables"]["properties"].pop("command", None)
    return template
