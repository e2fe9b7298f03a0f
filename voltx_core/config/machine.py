"""What a run may use and how it is kept safe: judge, checkpoints, device, money."""

from typing import Literal

from pydantic import Field

from voltx_core.config.section import Count, Positive, Seconds, Section


class JudgeConfig(Section):
    """Execution of generated code."""

    level: Literal["auto", "ns", "uid", "seccomp", "none"] = "auto"
    workers: Count = 0
    """Parallel slots; 0 means one a core."""
    cpu_s: Seconds = 1.0
    """CPU seconds for all tests of one program."""
    wall_s: Seconds = 10.0
    memory_mib: Positive = 512


class CheckpointConfig(Section):
    """How often progress is saved and how much of it is kept."""

    interval_s: Seconds = 60.0
    """About the work that may be lost, with this machine too: saves begin earlier by what they and
    their copies lately took."""
    keep: Positive = 2
    notice_s: Seconds = 30.0
    """What a rented machine gives before it is taken away; slower saves are warned about."""


class ComputeConfig(Section):
    """The machine. Recorded with every result, never part of a fingerprint."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto`` is bfloat16 on CUDA, float32 on CPU."""
    threads: Count = 1
    """CPU threads of a stage that runs beside others; 0 leaves it to torch. The count changes the
    last bits."""
    threads_alone: Count = 2
    """CPU threads of a stage that has the machine to itself."""
    log_every: Positive = 10
    """Steps between two points of a curve."""
    evaluate_every: Count = 250
    """Steps between two evaluations during training, where a stage has one; 0 leaves the one at
    the end."""
    compile: Literal["auto", "on", "off"] = "auto"
    """``torch.compile`` of what is trained; ``auto`` is on for CUDA and off for CPUs, where it
    does not pay."""


class CostConfig(Section):
    """Money."""

    rates_usd_per_hour: dict[str, float] = Field(
        default_factory=lambda: {"cpu": 0.35, "gpu": 2.5, "multi-gpu": 16.0}
    )
    """Price of an hour of each kind of machine: without a GPU, with one, with several."""
    budget_usd: float | None = Field(default=None, gt=0)
    """What a run may cost: every machine from its first stage to its last, idle time in between
    included; once that is spent its stages save and the run stops. ``null`` is no limit."""
