"""What a machine has to be, to be worth renting for a pool: the criteria, once for all readers.

``voltx doctor --pool`` compares the machine it runs on with them, and the task files in
deployments/rent ask for them.
"""

from dataclasses import dataclass

DISK_ROOM = 1.5
"""Disk to rent over the disk that has to be free: a system, CUDA and the environment come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """The least that a machine of a pool has, and the most that it costs."""

    cores: int
    memory_gib: int
    disk_gib: int
    """Free, once everything is installed."""
    gpus: int = 0
    vram_gib: int = 0
    """Of each GPU."""
    cuda: tuple[int, int] | None = None
    """Version of CUDA that the driver serves; that of the wheels of torch."""
    reliability: float
    """Share of time that its host was up, as the offer states it."""
    usd_per_hour: float

    @property
    def rented_disk_gib(self) -> int:
        """Disk to ask for, so that enough of it is free in the end."""
        return round(DISK_ROOM * self.disk_gib)

    def query(self) -> str:
        """The criteria as a search for offers on vast.ai."""
        gpu = (
            f"num_gpus>={self.gpus} gpu_ram>={self.vram_gib} cuda_vers>={cuda_text(self.cuda)} "
            if self.cuda
            else ""
        )
        return (
            f"{gpu}cpu_cores_effective>={self.cores} cpu_ram>={self.memory_gib} "
            f"disk_space>={self.rented_disk_gib} reliability>{self.reliability:g} "
            f"dph<={self.usd_per_hour:g}"
        )


def cuda_text(version: tuple[int, int]) -> str:
    """``12.8``."""
    return f"{version[0]}.{version[1]}"


CRITERIA: dict[str, Criteria] = {
    "cpu": Criteria(cores=8, memory_gib=32, disk_gib=100, reliability=0.98, usd_per_hour=0.35),
    "gpu": Criteria(
        cores=8,
        memory_gib=32,
        disk_gib=200,
        gpus=1,
        vram_gib=24,
        cuda=(12, 8),
        reliability=0.98,
        usd_per_hour=2.5,
    ),
    "multi-gpu": Criteria(
        cores=32,
        memory_gib=128,
        disk_gib=400,
        gpus=4,
        vram_gib=80,
        cuda=(12, 8),
        reliability=0.99,
        usd_per_hour=16.0,
    ),
}
"""By pool. Disk and memory leave room over what preflight wants of the preset single-gpu;
prices are those of ``cost.rates_usd_per_hour``."""
