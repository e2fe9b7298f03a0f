"""Entry of every process a worker starts for a run: `python -m tasks.process`.

Goes to the project's folder, which relative paths of a run count from, and runs Prefect's engine
for the flow run named in the environment. While the engine waits for the
server, torch is imported beside it, because almost every stage needs it.
"""

import os
import runpy
import sys
import threading


def _import_torch() -> None:
    import torch  # noqa: F401


if __name__ == "__main__":
    os.chdir(os.environ.get("VOLTX_PROJECT", "."))
    if os.environ.get("PREFECT__DEPLOYMENT_NAME", "").startswith("stage/"):
        threading.Thread(target=_import_torch, name="import torch", daemon=True).start()
    sys.argv = sys.argv[:1]
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
