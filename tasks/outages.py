"""Calls to the Prefect server and to the store that outlive an outage."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from prefect.exceptions import PrefectHTTPStatusError

from voltx_core.errors import StoreError

T = TypeVar("T")

logger = logging.getLogger("voltx_core.prefect")

LONGEST_PAUSE_S = 10.0
STORE_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Besides what the store itself tries again."""


def patiently(call: Callable[[], T], *, sleep: Callable[[float], None] = time.sleep) -> T:
    """Call until the server answers; an answer that is an error of ours is raised.

    Transport errors and 5xx answers are waited out without end: a graph that trained for days
    must not end because a server restarts. Silence and return are logged once each.
    """
    pause_s, waited = 0.5, False
    while True:
        try:
            answer = call()
        except (httpx.TransportError, PrefectHTTPStatusError) as error:
            if not _passing(error):
                raise
            if not waited:
                logger.warning("The Prefect server does not answer (%s); waiting for it", error)
            waited = True
            sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        else:
            if waited:
                logger.info("The Prefect server answers again")
            return answer


def insistently(call: Callable[[], T], *, sleep: Callable[[float], None] = time.sleep) -> T:
    """Call the store again when it fails, with growing pauses for a minute in all.

    For what a whole graph depends on; a stage that fails is tried again as a whole.

    Raises:
        StoreError: It failed every time.
    """
    for pause_s in STORE_PAUSES_S:
        try:
            return call()
        except StoreError as error:
            logger.warning("Once more in %.0f s: %s", pause_s, error)
            sleep(pause_s)
    return call()


def _passing(error: Exception) -> bool:
    if isinstance(error, httpx.TransportError):
        return True
    return isinstance(error, PrefectHTTPStatusError) and error.response.status_code >= 500
