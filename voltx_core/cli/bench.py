"""`voltx bench NAME`: measurements, each of which reports and never judges.

Benches that need Prefect register themselves as entry points of the group ``voltx.benches``.
"""

from voltx_core.cli.discovery import CommandGroup

BENCHES: dict[str, str] = {
    "codebook": "voltx_core.bench.codebook:codebook",
    "corpus": "voltx_core.bench.corpus:corpus",
    "decoder": "voltx_core.bench.decoder:decoder",
    "encoder": "voltx_core.bench.encoder:encoder",
    "judge": "voltx_core.bench.judge:judge",
    "scaling": "voltx_core.bench.scaling:scaling",
    "science": "voltx_core.bench.science:science",
    "store": "voltx_core.bench.store:store",
    "vincigpt": "voltx_core.bench.vincigpt:vincigpt",
}

bench = CommandGroup(
    name="bench",
    commands_at=BENCHES,
    entry_points="voltx.benches",
    help="Measure voltx on this machine. With --json the last line is one JSON object.",
)
