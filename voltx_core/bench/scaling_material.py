"""What `voltx bench scaling` trains and examines with: the results of the first stages.

They are made by the stages of the graph as `voltx bench science` makes them, in the same folder,
and are there already the next time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voltx_core.bench.science_host import workspace
from voltx_core.bench.science_variants import VARIANTS
from voltx_core.bench.science_work import Cell, Job, Work, run
from voltx_core.config import VoltxConfig
from voltx_core.data.jsonl import read_problems
from voltx_core.data.problem import Problem
from voltx_core.errors import StageError
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.stages.planning import plan
from voltx_core.translator.translator import Translator

STAGES = ("data", "translator", "soft_core")


@dataclass(frozen=True, slots=True)
class Material:
    """Local results of one seed.

    Attributes:
        config: They were made with.
        paths: By name of the artifact.
        small_flops: Arithmetic that training the soft core took.
        device: Where it is used.
        say: Takes lines of progress.
    """

    config: VoltxConfig
    paths: dict[str, Path]
    small_flops: float
    device: str
    say: Callable[[str], object]

    def translator(self) -> Translator:
        files = (self.paths[name] for name in ("tokenizer", "encoder", "decoder"))
        return Translator.load(*files, device=self.device)

    def core(self) -> SoftCore:
        return SoftCore.load(self.paths["soft_core"], device=self.device)

    def problems(self, part: str) -> list[Problem]:
        return list(read_problems(self.paths["problems"] / f"{part}.jsonl"))


def prepare(
    preset: str,
    overrides: list[str],
    folder: Path,
    *,
    workers: int,
    device: str,
    say: Callable[[str], object],
) -> Material:
    """Run what is missing of the first stages.

    Args:
        preset: Sizes of everything.
        overrides: ``KEY=VALUE`` texts.
        folder: Store and home of the benches.
        workers: Stages side by side.
        device: Where the results will be used.
        say: Takes lines of progress.

    Raises:
        StageError: A stage failed.
        Interrupted: A stop was asked for; progress is saved.
    """
    variant = VARIANTS["soft_core"]
    work = Work.of([Cell(variant, 0)], preset, overrides)

    def tell(job: Job, seconds: float) -> None:
        say(job.why or f"{job.stage}: {seconds:.0f} s")

    run(work, folder, workers=workers, on_progress=lambda *_: None, on_end=tell)
    if why := work.why(variant.name, 0):
        raise StageError(why)
    config = work.cells[variant.name, 0]["soft_core"].config
    artifacts = workspace(folder).artifacts
    paths: dict[str, Path] = {}
    for planned in plan(config, artifacts, stages=STAGES).values():
        assert planned.manifest is not None, "it has just been made"
        paths |= {
            name: artifacts.fetch(planned.manifest, name) for name in planned.manifest.artifacts
        }
    flops = work.reports(variant.name, 0)["soft_core"]["flops"]
    return Material(config, paths, flops, device, say)
