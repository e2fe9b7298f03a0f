"""Telling people how a run ended, by what VOLTX_NOTIFY lists, separated by commas.

An address (``https://...``) is sent ``{"text", "run", "state"}`` as JSON, which Slack and its kin
show. ``TYPE/NAME`` is a notification block of Prefect, made in the UI under Blocks: e-mail
(``sendgrid-email/me``), Slack, Teams, PagerDuty, or any webhook; Prefect keeps its secrets. The
variable is read from the environment, since an address may be a secret, and is written nowhere.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

logger = logging.getLogger("voltx_core.notification")

VARIABLE = "VOLTX_NOTIFY"
ANSWER_S = 10.0


def notify(
    run_id: str, outcome: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ
) -> None:
    """Tell everybody who is listed; one that cannot be reached costs a warning, never the run.

    Args:
        run_id: The run.
        outcome: ``state`` (completed, failed or stopped), ``why`` and ``report``.
        environ: Where the list is.
    """
    subject = f"voltx run {run_id} {outcome['state']}"
    for place in listed(environ):
        try:
            if "://" in place:
                content = {"text": text(subject, outcome), "run": run_id, "state": outcome["state"]}
                with _unlogged():
                    httpx.post(place, json=content, timeout=ANSWER_S).raise_for_status()
            else:
                _by_block(place, subject, text(subject, outcome))
        except Exception as error:  # whatever a receiver does, the run has ended as it has
            logger.warning("Nobody was told at %s (%s)", named(place), type(error).__name__)


def listed(environ: Mapping[str, str]) -> Iterator[str]:
    """Whom to tell."""
    return (place for item in environ.get(VARIABLE, "").split(",") if (place := item.strip()))


def text(subject: str, outcome: Mapping[str, Any]) -> str:
    """What is told: the outcome, why, and where the report is."""
    lines = [f"{subject}."]
    lines += [str(outcome["why"])] if outcome.get("why") else []
    lines += [f"Report: {outcome['report']}"] if outcome.get("report") else []
    return "\n".join(lines)


def named(place: str) -> str:
    """A receiver as a log may name it: of an address the host, since the rest may be a secret."""
    return urlsplit(place).hostname or "?" if "://" in place else place


@contextmanager
def _unlogged() -> Iterator[None]:
    """Within, httpx does not log whole addresses, as it does at INFO."""
    talker = logging.getLogger("httpx")
    before = talker.level
    talker.setLevel(logging.WARNING)
    try:
        yield
    finally:
        talker.setLevel(before)


def _by_block(slug: str, subject: str, body: str) -> None:
    from prefect.blocks.core import Block
    from prefect.utilities.asyncutils import run_coro_as_sync

    async def tell() -> None:
        block: Any = await Block.aload(slug)
        await block.notify(body, subject)

    run_coro_as_sync(tell())
