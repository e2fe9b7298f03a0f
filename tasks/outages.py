"""Calls to the Prefect API that outlive a server that is down for a while."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from prefect.exceptions import PrefectHTTPStatusError

T = TypeVar("T")

logger = logging.getLogger("voltx_core.prefect")

LONGEST_PAUSE_S = 10.0


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


def _passing(error: Exception) -> bool:
    if isinstance(error, httpx.TransportError):
        return True
    return isinstance(error, PrefectHTTPStatusError) and error.response.status_code >= 500
