"""The connection to an S3 server: settings that every server understands, errors people do."""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from voltx_core.errors import StoreError

CONNECTIONS = 32
DAMAGED_ON_ARRIVAL = ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody")
"""Codes of servers that compared a body with the digest in its headers."""
REFUSED_CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
)


def resolve_endpoint(endpoint_url: str | None) -> str | None:
    """The endpoint to talk to: as given, or from the environment; None is AWS itself."""
    for name in ("VOLTX_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        endpoint_url = endpoint_url or os.environ.get(name)
    return endpoint_url


def connect(endpoint_url: str | None, *, attempts: int, connect_timeout_s: float) -> Any:
    """An S3 client; it may be shared between threads.

    Args:
        endpoint_url: An S3-compatible server, None for AWS.
        attempts: Tries of one request before it fails, with exponential back-off between them.
        connect_timeout_s: Seconds until one try to connect gives up.
    """
    from botocore.config import Config
    from botocore.session import Session

    settings: dict[str, Any] = {}
    if endpoint_url:
        # Trailer checksums are refused or, worse, stored as data by several servers; this
        # store verifies by MD5 on the way in and by SHA-256 on the way out. A signature over
        # each body would hash it once more.
        settings = {
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "s3": {"addressing_style": "path", "payload_signing_enabled": False},
        }
    config = Config(
        signature_version="s3v4",
        connect_timeout=connect_timeout_s,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=CONNECTIONS,
        **settings,
    )
    session = Session()
    session.register_component("data_loader", _models())
    client = session.create_client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=session.get_config_variable("region") or "us-east-1",
        config=config,
    )
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_content_md5)
    return client


@cache
def _models() -> Any:
    """What botocore knows of S3, read from disk once a process: most of a client's cost."""
    from botocore.loaders import create_loader

    return create_loader()


def _add_content_md5(request: Any, **_: Any) -> None:
    """Older servers refuse DeleteObjects without this header; boto3 no longer sends it."""
    body = request.data if isinstance(request.data, bytes) else str(request.data).encode()
    if "Content-MD5" not in request.headers:
        request.headers["Content-MD5"] = content_md5(md5(body))


def md5(data: bytes | bytearray) -> bytes:
    """MD5 as S3 uses it, against damage on the wire and not against malice."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def content_md5(digest: bytes) -> str:
    """The value of a Content-MD5 header: servers refuse a body without this ``md5``."""
    return base64.b64encode(digest).decode()


def error_code(error: BaseException | None) -> str:
    """The server's code for an error (``NoSuchKey``, ``412``), "" for other errors."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def error_status(error: BaseException | None) -> int:
    """The HTTP status of a server's error, 0 for other errors."""
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    return int(metadata.get("HTTPStatusCode", 0))


def metadata(answer: dict[str, Any]) -> dict[str, str]:
    """User metadata by lower-case name: some servers return them capitalised."""
    return {name.lower(): value for name, value in answer.get("Metadata", {}).items()}


@contextmanager
def explained(doing: str, url: str, endpoint_url: str | None) -> Iterator[None]:
    """Turn what boto3 raises into a ``StoreError`` with cause and remedy."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        cause = _cause(error, url, endpoint_url)
        raise StoreError(f"could not {doing} in {url}: {cause}") from error


def _cause(error: Exception, url: str, endpoint_url: str | None) -> str:
    from botocore import exceptions

    where = endpoint_url or "AWS"
    match error:
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return (
                "no S3 credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "or AWS_PROFILE, or run where an instance role provides them."
            )
        case exceptions.ClientError():
            return _server_cause(error, url, where)
        case exceptions.IncompleteReadError() | exceptions.ResponseStreamingError():
            return (
                f"answers of {where} keep breaking off ({error}). Check the network and any proxy, "
                f"and try again; finished work is safe."
            )
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            return (
                f"the endpoint {where} cannot be reached ({error}). Start the server, check "
                f"VOLTX_S3_ENDPOINT and the network, and try again; finished work is safe."
            )
        case _:
            return f"{error}. Check the VOLTX_STORE and VOLTX_S3_ENDPOINT settings."


def _server_cause(error: Exception, url: str, where: str) -> str:
    bucket = url.removeprefix("s3://").split("/")[0]
    code, status = error_code(error), error_status(error)
    match code:
        case "NoSuchBucket":
            return (
                f"there is no bucket {bucket!r} at {where}. Create it "
                f"(aws s3 mb s3://{bucket}) or correct VOLTX_STORE."
            )
        case "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired":
            return (
                f"the credentials have expired ({code}). Renew them in the file of AWS_PROFILE, "
                f"which is read again by itself, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
                f"and AWS_SESSION_TOKEN and start again; finished work is safe."
            )
        case _ if code in REFUSED_CREDENTIALS:
            return (
                f"{where} does not accept the credentials ({code}). Correct AWS_ACCESS_KEY_ID, "
                f"AWS_SECRET_ACCESS_KEY and, for temporary ones, AWS_SESSION_TOKEN."
            )
        case "RequestTimeTooSkewed":
            return (
                f"the clocks of this machine and of {where} are {_apart(error)} apart. Set this "
                f"machine's clock (timedatectl set-ntp true) and start again; finished work is "
                f"safe."
            )
        case "EntityTooLarge" | "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage":
            return f"the bucket is full ({code}). Free space in {bucket!r} or raise its quota."
    if status == 507:
        return f"the server's disk is full. Free space for {bucket!r} at {where}."
    if status in (401, 403):
        return (
            f"access is denied ({code}). The credentials need s3:GetObject, s3:PutObject, "
            f"s3:DeleteObject and s3:ListBucket on {bucket!r}."
        )
    if status == 404:
        return f"{where} knows no such bucket or object ({error}). Check VOLTX_STORE."
    if status >= 500:
        return f"{where} keeps failing ({error}). Try again later; finished work is safe."
    return f"{where} refused: {error}."


def _apart(error: Exception) -> str:
    """How far the server's clock, as its answer tells, is from ours."""
    headers = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = parsedate_to_datetime(headers["date"]).replace(tzinfo=UTC)  # always GMT
    except (KeyError, ValueError, TypeError):
        return "too far"
    minutes = abs((datetime.now(UTC) - theirs).total_seconds()) / 60
    return f"{minutes:.0f} minutes"
