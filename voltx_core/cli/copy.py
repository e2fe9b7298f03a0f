"""`voltx copy`: everything of one store into another, resumable and verified."""

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import AsJson, console, explained

if TYPE_CHECKING:
    from voltx_core.store import Store
    from voltx_core.store.copying import Copied

PLACE = "FOLDER|s3://BUCKET/PREFIX"
Source = Annotated[str, typer.Argument(metavar="SOURCE", help=f"Where from: {PLACE}.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help=f"Where to: {PLACE}.")]
Every = Annotated[
    float | None,
    typer.Option(
        "--every",
        metavar="MINUTES",
        min=0.1,
        help="Stay, and copy what is new every so many minutes, until SIGTERM or Ctrl-C.",
    ),
]


@explained()
def copy(source: Source, target: Target, every: Every = None, as_json: AsJson = False) -> None:
    """Copy a store, or any folder of files, into another place: backup, upload, download.

    What is there already with the same SHA-256 is left alone: a copy that was broken off goes
    on, large files within the file. Every byte is verified on its way where the source knows its
    digest, what stages made by their manifests; these go last, so that the copy is a whole store
    at every moment. Nothing is removed from the target.

    Examples:

      voltx copy volt-store s3://bucket/backup --every 30   a backup every half an hour

      voltx copy s3://bucket/prefix volt-store              everything home, before the machines go

      voltx copy ./my-corpus s3://bucket/corpus             inputs, up to where machines find them
    """
    from voltx_core.cli.countdown import countdown
    from voltx_core.errors import Interrupted, StoreError
    from voltx_core.store import open_store
    from voltx_core.store.copying import copy_store
    from voltx_core.training.session import StopFlag, stopping

    origin, end, stop = open_store(source), open_store(target), StopFlag()
    _refuse_nonsense(origin, end)
    with stopping(stop, "the copy goes on where it is when it is called again"):
        while True:
            try:
                with countdown("objects") as tell:
                    copied = copy_store(origin, end, poll=stop.check, tell=tell)
            except Interrupted as interruption:
                raise StoreError(f"Broken off: {interruption}.") from None
            except StoreError as error:
                if every is None:
                    raise
                console(stderr=True).print(f"This time it failed: {error}", markup=False)
            else:
                _tell(copied, end.url, as_json)
            if every is None:
                return
            deadline = time.monotonic() + 60 * every
            while not stop and time.monotonic() < deadline:
                time.sleep(0.2)
            if stop:
                return


def _refuse_nonsense(source: "Store", target: "Store") -> None:
    """There must be something to copy, and neither place may lie within the other.

    Raises:
        ConfigError: It is not so.
        StoreError: The source cannot be read.
    """
    from voltx_core.errors import ConfigError

    origin, end = _place(source), _place(target)
    if origin.startswith(end) or end.startswith(origin):
        raise ConfigError(
            f"{source.url} and {target.url} lie one within the other: the copy would copy itself. "
            f"Name a target beside the source."
        )
    if next(iter(source.list()), None) is None:
        raise ConfigError(
            f"There is nothing to copy at {source.url}: it does not exist, holds no file, or is "
            f"no folder. Check how it is written."
        )


def _place(store: "Store") -> str:
    """Where a store is, as a prefix of all that is in it."""
    inside = store.local_path("x")
    return f"{(store.url if inside is None else str(inside.parent.resolve())).rstrip('/')}/"


def _tell(copied: "Copied", url: str, as_json: bool) -> None:
    from voltx_core.report.formatting import size

    if as_json:
        print(json.dumps(asdict(copied)), flush=True)
        return
    meanwhile = f"; {copied.gone} were removed meanwhile" if copied.gone else ""
    verified = ", verified by SHA-256"
    if copied.unverified:
        verified += f" except {copied.unverified} of which the source knows no digest"
    console().print(
        f"{copied.objects - copied.gone} objects are in {url}{verified}: "
        f"{copied.sent} sent ({size(copied.sent_bytes)}), the others were there{meanwhile}.",
        soft_wrap=True,
    )
