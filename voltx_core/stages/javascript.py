"""5.2a JavaScript: a decoder of its own for frames that Python taught. See language.py.

voltx run --until javascript
"""

from voltx_core.config import VoltxConfig
from voltx_core.data.problem import Language
from voltx_core.stages.contract import StageReport, StageRun
from voltx_core.stages.language import language_spec, teach, toolchains

LANGUAGES: tuple[Language, ...] = ("javascript",)
SPEC = language_spec("5.2a", "javascript", LANGUAGES)


def external(_config: VoltxConfig) -> dict[str, str]:
    return toolchains(LANGUAGES)


def run(run: StageRun) -> StageReport:
    return teach(run, LANGUAGES)
