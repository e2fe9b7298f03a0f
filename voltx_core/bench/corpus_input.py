"""A corpus of any size for `voltx bench corpus`: this machine's sources, again under other names.

Every copy of a file has its longer names changed in its own way, so it is no near-duplicate of the
other copies and costs the index of signatures as much as another file would.
"""

import json
import keyword
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from voltx_core.data.harvest import harvest_sources
from voltx_core.data.source_file import SourceFile

_NAME = re.compile(rf"\b(?!(?:{'|'.join(keyword.kwlist)})\b)[a-z_]{{4,}}\b")
MOST_BYTES = 200_000
"""Larger files are left out: a few of them would be a whole small corpus."""


def write_corpus(path: Path, megabytes: int) -> int:
    """Write JSON lines of ``content`` and ``path`` and return their size in bytes.

    Args:
        megabytes: least size of the file, in 10^6 bytes.
    """
    size = 0
    with path.open("wb") as out:
        for file in _endless():
            row = json.dumps({"content": file.text, "path": file.path}, ensure_ascii=False)
            line = row.encode(errors="replace") + b"\n"
            out.write(line)
            size += len(line)
            if size >= megabytes * 1_000_000:
                return size
    return size


def _endless() -> Iterator[SourceFile]:
    for turn in count():
        for file in harvest_sources(seed=0):
            if len(file.text) > MOST_BYTES:
                continue
            text = file.text if turn == 0 else _NAME.sub(rf"\g<0>_{turn}", file.text)
            yield SourceFile(path=file.path, text=text)
