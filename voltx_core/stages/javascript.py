"""5.2a JavaScript: a decoder of its own for frames that Python taught. See language.py.

voltx run --until javascript
"""

from voltx_core.data.problem import Language
from voltx_core.stages.contract import StageReport, StageRun
from voltx_core.stages.language import language_spec, teach

LANGUAGES: tuple[Language, ...] = ("javascript",)
SPEC = language_spec("5.2a", "javascript", LANGUAGES)


def run(run: StageRun) -> StageReport:
    return teach(run, LANGUAGES)
