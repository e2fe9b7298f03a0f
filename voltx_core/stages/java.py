"""5.2b Java: a decoder of its own for frames that Python taught. See language.py.

voltx run --until java
"""

from voltx_core.config import VoltxConfig
from voltx_core.data.problem import Language
from voltx_core.stages.contract import StageReport, StageRun
from voltx_core.stages.language import language_spec, teach, toolchains

LANGUAGES: tuple[Language, ...] = ("java",)
SPEC = language_spec("5.2b", "java", LANGUAGES)


def external(_config: VoltxConfig) -> dict[str, str]:
    return toolchains(LANGUAGES)


def run(run: StageRun) -> StageReport:
    return teach(run, LANGUAGES)
