"""Whether an S3 server honours conditional writes: tried out once, never believed."""

import logging
import uuid
from typing import Any

from voltx_core.errors import StoreError
from voltx_core.store.keys import RESERVED
from voltx_core.store.s3_client import (
    DAMAGED_ON_ARRIVAL,
    content_md5,
    error_code,
    error_status,
    md5,
)
from voltx_core.store.s3_parts import read_patiently

logger = logging.getLogger(__name__)

_TRIES = 5
_REFUSED_HEADER = (400, 501)
EXISTS = (304, 409, 412)  # 304 by servers that take the header's meaning for reads


def honours_conditions(client: Any, bucket: str, prefix: str) -> bool:
    """Whether a put with ``If-None-Match: *`` fails when the object exists.

    Writes one small object, writes it again conditionally, reads it and deletes it. Says once in
    the log when the answer is no.

    Raises:
        StoreError: Other bytes came back than were written.
        Exception: What boto3 raises when the bucket cannot be used at all.
    """
    url = f"s3://{bucket}/{prefix}"
    target = {"Bucket": bucket, "Key": f"{prefix}{RESERVED}-probe/{uuid.uuid4().hex}"}
    for _ in range(_TRIES):  # a bit that flips once on the way condemns no server
        honoured = _try_out(client, target)
        if honoured is not None:
            break
    else:
        raise StoreError(
            f"{url} returned other bytes than were written to it. The server or a proxy before "
            f"it damages data: use another store."
        )
    if not honoured:
        logger.warning(
            "%s ignores If-None-Match: two processes that finish the same stage in the same "
            "instant may both commit it (the later one stays). Do not run one graph twice at "
            "once on this store.",
            url,
        )
    return honoured


def _try_out(client: Any, target: dict[str, str]) -> bool | None:
    """Whether a conditional put left the object as it was; None when bytes were damaged."""
    from botocore.exceptions import ClientError

    first, second = uuid.uuid4().bytes, uuid.uuid4().bytes
    try:
        client.put_object(**target, Body=first, ContentMD5=content_md5(md5(first)))
        refused = _refuses(client, target, second)
        body = read_patiently(lambda: client.get_object(**target)["Body"].read())
    except ClientError as error:
        if error_code(error) in DAMAGED_ON_ARRIVAL:
            return None
        raise
    finally:
        client.delete_object(**target)
    return refused and body == first if body in (first, second) else None


def _refuses(client: Any, target: dict[str, str], data: bytes) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.put_object(**target, Body=data, IfNoneMatch="*")
    except ClientError as error:
        if error_status(error) in EXISTS:
            return True
        if error_status(error) not in _REFUSED_HEADER:
            raise
    return False
