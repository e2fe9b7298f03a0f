"""The codebook: unit vectors that name the slot vectors of real code, and their file format.

``codebook_code.bin`` is a 16-byte header (``VXCB``, then version, count and dim as little-endian
u32) and ``count`` rows of ``dim`` little-endian float32: 67,108,880 bytes at the plan's size.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from voltx_core.errors import DataError
from voltx_core.frame import normalise

MAGIC = b"VXCB"
VERSION = 1
HEADER = struct.Struct("<4sIII")
BLOCK_CELLS = {"cpu": 1 << 21, "cuda": 1 << 28}
"""Most cosines held at once: what stays in a CPU's cache; a gibibyte on an accelerator."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How well entries stand for vectors.

    Attributes:
        mean_l2: Mean Euclidean distance from a unit vector to its nearest entry.
        mean_cosine: Mean cosine to it.
        utilisation: Share of entries that are nearest to at least one vector.
        perplexity: exp of the entropy of the choice of entry; at most the number of entries.
    """

    mean_l2: float
    mean_cosine: float
    utilisation: float
    perplexity: float


class Codebook:
    """``count`` directions of ``width`` numbers each.

    Args:
        entries: ``[K, W]`` float32, finite, no zero row; kept bit for bit.

    Raises:
        DataError: The rows cannot be a codebook.
    """

    def __init__(self, entries: Tensor) -> None:
        fault = _fault(entries)
        if fault:
            raise DataError(f"These rows are no codebook: {fault}. Rebuild the codebook.")
        self.entries = entries.to(torch.float32).contiguous()
        self._directions = normalise(self.entries)

    def __len__(self) -> int:
        return self.entries.shape[0]

    @property
    def width(self) -> int:
        return self.entries.shape[1]

    def to(self, device: torch.device | str) -> "Codebook":
        return Codebook(self.entries.to(device))

    def nearest(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The entry of largest cosine for each vector, by exact search.

        Args:
            vectors: ``[N, W]``; need not be normalised.

        Returns:
            Index of the entry ``[N]`` (long) and its cosine ``[N]``.
        """
        return nearest(normalise(vectors.to(self._directions)), self._directions)

    def quantisation(self, vectors: Tensor) -> Quantisation:
        """Measure how well the entries stand for ``vectors`` ``[N, W]``."""
        index, cosine = self.nearest(vectors)
        return measure(index, cosine, len(self))

    def save(self, path: Path | str) -> None:
        """Write the file in whole or not at all.

        Raises:
            OSError: The disk refused; an earlier file is untouched.
        """
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        rows = self.entries.detach().cpu().numpy().astype("<f4", copy=False)
        try:
            with partial.open("wb") as file:
                file.write(HEADER.pack(MAGIC, VERSION, *rows.shape))
                file.write(rows.tobytes())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str, *, device: torch.device | str = "cpu") -> "Codebook":
        """Read a codebook, refusing anything that is not exactly one.

        Raises:
            DataError: Names the file and what is wrong with it.
        """
        path = Path(path)
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                head = file.read(HEADER.size)
                count, width = _shape(head, size)
                rows = np.fromfile(file, dtype="<f4", count=count * width)
        except OSError as error:
            raise DataError(
                f"The codebook {path} cannot be read: {error.strerror}. "
                "Run the codebook stage, or import your file again."
            ) from error
        except _Malformed as fault:
            raise _refusal(path, str(fault)) from None
        entries = torch.from_numpy(rows.astype(np.float32, copy=False).reshape(count, width))
        fault = _fault(entries)
        if fault:
            raise _refusal(path, fault)
        return cls(entries.to(device))


def nearest(vectors: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Exact nearest neighbour of unit ``vectors`` ``[N, W]`` among unit ``directions`` ``[K, W]``.

    Works in blocks of rows, so that no more than ``BLOCK_CELLS`` cosines exist at a time. Of
    several equal cosines the first index wins.

    Returns:
        Index ``[N]`` (long) and cosine ``[N]``.
    """
    index = torch.empty(len(vectors), dtype=torch.long, device=vectors.device)
    cosine = torch.empty(len(vectors), dtype=vectors.dtype, device=vectors.device)
    for rows in blocks(len(vectors), rows_at_once(directions.device, len(directions))):
        cosine[rows], index[rows] = (vectors[rows] @ directions.T).max(1)
    return index, cosine


def measure(index: Tensor, cosine: Tensor, entries: int) -> Quantisation:
    """Summarise an assignment: ``index`` and ``cosine`` ``[N]`` against ``entries`` entries."""
    counts = torch.bincount(index, minlength=entries).double()
    share = counts[counts > 0] / counts.sum()
    cosine = cosine.double().clamp(-1, 1)
    return Quantisation(
        mean_l2=float((2 - 2 * cosine).sqrt().mean()),
        mean_cosine=float(cosine.mean()),
        utilisation=float((counts > 0).double().mean()),
        perplexity=float(torch.exp(-(share * share.log()).sum())),
    )


def rows_at_once(device: torch.device, directions: int) -> int:
    """How many vectors are compared with ``directions`` directions at a time."""
    return max(1, BLOCK_CELLS.get(device.type, BLOCK_CELLS["cpu"]) // directions)


def blocks(count: int, size: int) -> Iterator[slice]:
    """Slices that cover ``range(count)``, ``size`` long each."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


class _Malformed(Exception):
    """The header or the size of a file is wrong."""


def _shape(head: bytes, size: int) -> tuple[int, int]:
    if len(head) < HEADER.size:
        raise _Malformed(f"it has {size} bytes, fewer than the {HEADER.size} of a header")
    magic, version, count, width = HEADER.unpack(head)
    if magic != MAGIC:
        raise _Malformed(f"it starts with {magic!r}, not {MAGIC!r}")
    if version != VERSION:
        raise _Malformed(f"it has format version {version}, this program reads {VERSION}")
    if count == 0 or width == 0:
        raise _Malformed(f"it claims {count} entries of width {width}")
    expected = HEADER.size + 4 * count * width
    if size != expected:
        kind = "truncated" if size < expected else "longer than it says"
        raise _Malformed(
            f"it is {kind}: {count} x {width} entries take {expected} bytes, it has {size}"
        )
    return count, width


def _fault(entries: Tensor) -> str | None:
    if entries.ndim != 2 or 0 in entries.shape:
        return f"entries must be [K, W] with K, W > 0, got {list(entries.shape)}"
    finite = entries.isfinite().all(1)
    if not bool(finite.all()):
        return f"row {int((~finite).nonzero()[0])} holds a NaN or an infinity"
    zero = (entries == 0).all(1)
    if bool(zero.any()):
        return f"row {int(zero.nonzero()[0])} is all zeros and has no direction"
    return None


def _refusal(path: Path, fault: str) -> DataError:
    return DataError(
        f"{path} is not a usable codebook: {fault}. Run the codebook stage again, or import an "
        "intact file."
    )
