"""5.2c Rust and Go: a decoder of its own for frames that Python taught. See language.py.

voltx run --until rust_go
"""

from voltx_core.config import VoltxConfig
from voltx_core.data.problem import Language
from voltx_core.stages.contract import StageReport, StageRun
from voltx_core.stages.language import language_spec, teach, toolchains

LANGUAGES: tuple[Language, ...] = ("rust", "go")
SPEC = language_spec("5.2c", "rust_go", LANGUAGES)


def external(_config: VoltxConfig) -> dict[str, str]:
    return toolchains(LANGUAGES)


def run(run: StageRun) -> StageReport:
    return teach(run, LANGUAGES)
