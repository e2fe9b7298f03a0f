"""``voltx export``: the trained model as plain files, in a folder, a bucket or on the hub."""

from pathlib import Path
from typing import Annotated

import typer

from voltx_core.cli.options import StoreUrl, console, explained
from voltx_core.errors import ConfigError

To = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER|s3://BUCKET/PREFIX", help="Where to: a new or empty folder, or a bucket."
    ),
]
Run = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Whose model; default: the newest run that has one."),
]
Push = Annotated[
    str | None,
    typer.Option(
        "--push",
        metavar="OWNER/NAME",
        help="Also upload it to the Hugging Face hub (HF_TOKEN or `hf auth login`).",
    ),
]
Public = Annotated[
    bool, typer.Option("--public", help="With --push: a new repository is visible to everybody.")
]


@explained()
def export(
    to: To,
    run: Run = None,
    push: Push = None,
    public: Public = False,
    store: StoreUrl = None,
) -> None:
    """Write the trained model as plain files that need no store.

    Every part has its familiar name, such as code_encoder.safetensors or
    codebook_code.bin. A model card, the figures of the run and a list of all
    files with their sha256 come along; what the run read, where it ran and
    how it was set up does not. A folder that holds this very model already
    is only verified, so that a broken upload can be repeated.

    Examples:

      voltx export my-model

      voltx generate --model my-model "return the sum"

      voltx export s3://bucket/models/first --run 20260102-1504

      voltx export my-model --push me/my-model
    """
    from voltx_core.cli.generate import trained_run
    from voltx_core.release import hub, model_folder
    from voltx_core.stages.workspace import Workspace

    remote = "://" in to
    if remote and push:
        raise ConfigError("--push uploads a folder: export to a folder, not to a bucket.")
    workspace, out = Workspace.open(store), console()
    run_id = run or trained_run(workspace)
    if public and not push:
        raise ConfigError("--public says who sees what --push uploads: add --push OWNER/NAME.")
    if not remote and model_folder.holds(Path(to), run_id):
        out.print(f"Model of run {run_id} is in [bold]{to}[/] already, intact", soft_wrap=True)
        parts = {}
    elif remote:
        parts = model_folder.export_to_store(run_id, workspace, to)
    else:
        parts = model_folder.export(run_id, workspace, Path(to))
    if parts:
        out.print(f"Model of run {run_id}: {len(parts)} parts in [bold]{to}[/]", soft_wrap=True)
    for name, part in sorted(parts.items()):
        out.print(f"  {part.path:34} {name}, {part.stage} {part.fingerprint}", soft_wrap=True)
    if push:
        out.print(f"Uploaded: {hub.push(Path(to), push, public=public)}", soft_wrap=True)
    if not remote:
        out.print(f'\nTry it: voltx generate --model {to} "return the sum"', soft_wrap=True)
