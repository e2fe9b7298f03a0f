"""A corpus as one stream of tokens: ``<eot> document <eot> document ...``, two bytes a token.

Every position predicts the next one, so a document's last token predicts ``<eot>`` and its first
is predicted from it. Row r of a context of C tokens is ``stream[r*C : r*C + C + 1]``; which rows a
step reads is a function of (seed, step) (``training.randomness.rows_of_step``).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voltx_core.errors import DataError

TOKENS, OFFSETS = "bin", "offsets"
RESIDENT_SHARE = 0.25
"""A stream that takes less of the device's free memory than this is kept there whole."""


class StreamWriter:
    """Writes ``NAME.bin`` (uint16) and ``NAME.offsets`` (int64, where documents begin)."""

    def __init__(self, folder: Path, name: str, eot: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._tokens = (folder / f"{name}.{TOKENS}").open("wb")
        self._offsets = (folder / f"{name}.{OFFSETS}").open("wb")
        self._eot = eot
        self.tokens = self.documents = 0

    def __enter__(self) -> "StreamWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._tokens.close()
        self._offsets.close()

    def add(self, documents: Iterable[list[int]], *, most: int | None = None) -> None:
        """Append documents of token ids below 65,536, until there are ``most`` tokens in all."""
        for ids in documents:
            if most is not None:
                ids = ids[: max(0, most - self.tokens - 1)]
                if not ids:
                    return
            np.asarray([self.tokens], dtype="<i8").tofile(self._offsets)
            np.asarray([self._eot, *ids], dtype="<u2").tofile(self._tokens)
            self.tokens += len(ids) + 1
            self.documents += 1


class TokenStream:
    """A stream on disk, mapped into memory, or held by a device.

    Args:
        folder: Where ``NAME.bin`` and ``NAME.offsets`` lie.
        name: Such as ``train``.

    Raises:
        DataError: A file is missing or was cut.
    """

    def __init__(self, folder: Path, name: str) -> None:
        place, starts = folder / f"{name}.{TOKENS}", folder / f"{name}.{OFFSETS}"
        try:
            self.ids = np.memmap(place, dtype="<u2", mode="r")
            self.offsets = np.memmap(starts, dtype="<i8", mode="r")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder} holds no stream {name!r} of tokens ({error}). Make it again: prefect "
                "deployment run vincigpt/train --param 'force=[\"vincigpt_corpus\"]'."
            ) from error
        self._resident: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, context: int) -> int:
        """Whole rows of ``context`` tokens and the one that follows each."""
        return (len(self.ids) - 1) // context

    def reside(self, device: str) -> bool:
        """Keep the stream on a CUDA device if it fits; whether it does."""
        if not device.startswith("cuda"):
            return False
        free, _ = torch.cuda.mem_get_info()
        if 2 * len(self.ids) > RESIDENT_SHARE * free:
            return False
        # The same bits as signed integers: torch can index few unsigned ones.
        self._resident = torch.from_numpy(np.array(self.ids).view("<i2")).to(device)
        return True

    def batch(self, rows: Tensor, context: int, device: str) -> Tensor:
        """Tokens of rows, ``[b, context + 1]`` on the device; the last column is only predicted."""
        if self._resident is not None:
            at = rows.to(device, non_blocking=True).unsqueeze(1) * context
            at = at + torch.arange(context + 1, device=device)
            return self._resident[at].long() & 0xFFFF
        starts = rows.numpy() * context
        found = np.stack([self.ids[at : at + context + 1] for at in starts])
        return torch.from_numpy(found.astype(np.int64)).to(device, non_blocking=True)
