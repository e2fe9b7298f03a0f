"""The codebook's search index: HNSW by faiss, tuned until it finds what exact search finds.

Malkov & Yashunin 2016. Built on one thread: faiss inserts in parallel otherwise, and the graph
then depends on the timing of threads.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voltx_core.errors import DataError
from voltx_core.frame import normalise
from voltx_core.hard_core.codebook import Codebook

FIRST_BEAM = 16
TIE = 1e-6
"""Cosines closer than this are the same answer: duplicate entries must not count as misses."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Outcome of tuning: the beam (efSearch) chosen, its recall@1, and every (beam, recall)."""

    beam: int
    recall: float
    trials: list[tuple[int, float]]


class CodebookIndex:
    """Approximate nearest entries of one codebook; same ``nearest`` as the codebook itself."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    @classmethod
    def build(cls, codebook: Codebook, *, links: int, construction: int) -> "CodebookIndex":
        """Insert every entry.

        Args:
            codebook: Whose entries.
            links: Neighbours a node keeps (M).
            construction: Candidates looked at while inserting (efConstruction).
        """
        import faiss

        graph = faiss.IndexHNSWFlat(codebook.width, links, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = construction
        graph.hnsw.efSearch = FIRST_BEAM
        with _one_thread():
            graph.add(normalise(codebook.entries.detach().cpu()).numpy())
        return cls(graph)

    def __len__(self) -> int:
        return int(self._graph.ntotal)

    @property
    def width(self) -> int:
        return int(self._graph.d)

    @property
    def beam(self) -> int:
        """Candidates kept while searching (efSearch); stored in the file."""
        return int(self._graph.hnsw.efSearch)

    @beam.setter
    def beam(self, value: int) -> None:
        self._graph.hnsw.efSearch = value

    def nearest(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """An entry of (almost always) largest cosine for each vector.

        Args:
            vectors: ``[N, W]``; need not be normalised.

        Returns:
            Index ``[N]`` (long) and cosine ``[N]``, on the vectors' device.
        """
        queries = normalise(vectors.detach().float()).cpu().contiguous().numpy()
        with _one_thread():
            cosine, index = self._graph.search(queries, 1)
        return (
            torch.from_numpy(index[:, 0]).to(vectors.device),
            torch.from_numpy(cosine[:, 0]).to(vectors.device),
        )

    def recall(self, vectors: Tensor, exact_cosine: Tensor) -> float:
        """recall@1: share of vectors whose found entry is as near as the nearest one.

        Args:
            vectors: ``[N, W]``.
            exact_cosine: Cosine to the truly nearest entry, ``[N]``.
        """
        _, cosine = self.nearest(vectors)
        return float((cosine >= exact_cosine.to(cosine) - TIE).double().mean())

    def tune(self, codebook: Codebook, vectors: Tensor, target: float) -> Tuned:
        """Double the beam until recall@1 on ``vectors`` reaches ``target``, or it spans all."""
        _, exact = codebook.nearest(vectors)
        trials: list[tuple[int, float]] = []
        self.beam = FIRST_BEAM
        while True:
            trials.append((self.beam, self.recall(vectors, exact)))
            if trials[-1][1] >= target or self.beam >= len(self):
                return Tuned(*trials[-1], trials)
            self.beam *= 2

    def graph(self) -> Tensor:
        """All of it as bytes, ``[bytes]`` uint8; ``of_graph`` reads them."""
        import faiss

        return torch.from_numpy(faiss.serialize_index(self._graph).copy())

    @classmethod
    def of_graph(cls, graph: Tensor) -> "CodebookIndex":
        """The index that ``graph`` gave the bytes of."""
        import faiss

        return cls(faiss.deserialize_index(graph.cpu().numpy()))

    def save(self, path: Path | str) -> None:
        """Write faiss's own file format, in whole or not at all."""
        import faiss

        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            faiss.write_index(self._graph, str(partial))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str, codebook: Codebook) -> "CodebookIndex":
        """Read an index and make sure that it is one of this codebook.

        Raises:
            DataError: Unreadable, no HNSW index, or of another codebook.
        """
        import faiss

        try:
            graph = faiss.read_index(str(path))
        except RuntimeError as error:
            raise DataError(
                f"The codebook index {path} cannot be read: {_detail(error)}. "
                "Run the codebook stage again."
            ) from error
        if not isinstance(graph, faiss.IndexHNSW):
            raise DataError(
                f"{path} holds a {type(graph).__name__}, not an HNSW index. "
                "Run the codebook stage again."
            )
        self = cls(graph)
        if (len(self), self.width) != (len(codebook), codebook.width) or not self._holds(codebook):
            raise DataError(
                f"{path} indexes {len(self)} entries of width {self.width}, which are not the "
                f"{len(codebook)} x {codebook.width} of this codebook. Use the two files of one "
                "codebook stage."
            )
        return self

    def _holds(self, codebook: Codebook) -> bool:
        """Whether a few stored rows are the codebook's."""
        rows = sorted({0, len(self) // 2, len(self) - 1})
        stored = torch.stack([torch.from_numpy(self._graph.reconstruct(n)) for n in rows])
        wanted = normalise(codebook.entries[rows].cpu())
        return bool(torch.allclose(stored, wanted, atol=1e-5))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run faiss on one thread and give the others back."""
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _detail(error: Exception) -> str:
    """The last line of a faiss message; the ones before it are C++ places."""
    return (str(error).strip().splitlines() or ["no detail"])[-1][:200]
