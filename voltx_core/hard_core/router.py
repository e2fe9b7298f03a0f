"""The intent router: which strands a query concerns, by prototype directions on its gist.

Every strand owns V prototype vectors. Its score is a soft maximum of their cosines to the gist;
a query goes to every strand whose score passes the strand's threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.data.intents.templates import STRANDS
from voltx_core.frame import normalise
from voltx_core.weights import load_into, load_weights, save_weights

FIRST_TEMPERATURE = 0.1
RIDGE = 1e-4
"""Added to the variances, as a share of the largest, before whitening."""
LEAST_TEMPERATURE = 0.01
"""Below this a single step can throw the softmax across the sphere."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where one query goes.

    Attributes:
        strands: Strands above their thresholds, best margin first; the best one when none is.
        scores: Probability-like score of every strand, in (0, 1); 0.5 is the threshold.
    """

    strands: tuple[str, ...]
    scores: dict[str, float]


class IntentRouter(nn.Module):
    """Prototype vectors of each strand, a temperature, a threshold for each strand.

    Args:
        width: W, width of a gist.
        vectors: V, prototypes a strand starts with.
        strands: Their names.
    """

    thresholds: Tensor
    centre: Tensor
    whitening: Tensor

    def __init__(self, width: int, vectors: int, strands: Sequence[str] = STRANDS) -> None:
        super().__init__()
        self.strands = list(strands)
        self.prototypes = nn.ParameterList(
            nn.Parameter(torch.zeros(vectors, width)) for _ in self.strands
        )
        self.log_temperature = nn.Parameter(torch.tensor(math.log(FIRST_TEMPERATURE)))
        self.register_buffer("thresholds", torch.zeros(len(self.strands)))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("whitening", torch.eye(width))

    @property
    def width(self) -> int:
        return self.prototypes[0].shape[1]

    @torch.no_grad()
    def start(self, gists: Tensor, labels: Tensor, draw: torch.Generator) -> None:
        """Learn the spread of gists, then put prototypes on gists of each strand's queries.

        Gists of all queries point roughly the same way (mean cosine about 0.5), which would leave
        their cosines little room to differ: they are centred and whitened first.

        Args:
            gists: ``[N, W]`` training gists.
            labels: ``[N, S]`` bool.
            draw: Decides which, and how far apart.
        """
        self.centre.copy_(gists.mean(0))
        offsets = (gists - self.centre).double()
        spread, axes = torch.linalg.eigh(offsets.T @ offsets / len(gists))
        scale = (spread.clamp(min=0) + RIDGE * spread.max().clamp(min=1e-12)).rsqrt()
        self.whitening.copy_(axes @ scale.diag() @ axes.T)
        points = self.project(gists)
        for strand, prototypes in enumerate(self.prototypes):
            own = labels[:, strand].nonzero().squeeze(1).cpu()
            own = own if len(own) else torch.arange(len(points))
            rows = own[torch.randint(len(own), (len(prototypes),), generator=draw)]
            noise = torch.randn(prototypes.shape, generator=draw) * (0.1 / math.sqrt(self.width))
            prototypes.copy_(normalise(points[rows.to(points.device)] + noise.to(points.device)))

    def forward(self, gist: Tensor) -> Tensor:
        """Cosine-like score of every strand: a soft maximum over its prototypes.

        Args:
            gist: ``[B, W]`` unit vectors.

        Returns:
            ``[B, S]``; at least about the mean cosine of the strand, at most its largest.
        """
        temperature, points = self.temperature(), self.project(gist)
        scores = []
        for prototypes in self.prototypes:
            cosine = points @ normalise(prototypes).T  # [B, V]
            soft = torch.logsumexp(cosine / temperature, 1) - math.log(len(prototypes))
            scores.append(soft * temperature)
        return torch.stack(scores, dim=1)

    def project(self, gist: Tensor) -> Tensor:
        """Gists ``[B, W]`` as centred, whitened unit vectors."""
        return normalise((gist - self.centre) @ self.whitening)

    def temperature(self) -> Tensor:
        """Of the soft maximum and of the losses."""
        return self.log_temperature.exp().clamp(min=LEAST_TEMPERATURE)

    def logits(self, gist: Tensor) -> Tensor:
        """How far each score lies above its threshold, in temperatures, ``[B, S]``."""
        return (self(gist) - self.thresholds) / self.temperature()

    def loss(self, gist: Tensor, labels: Tensor) -> Tensor:
        """Multi-label contrastive loss plus binary cross-entropy around the mean score.

        The first term ranks the labelled strands above the others:
        ``-log(sum of exp over labelled / sum over all)``. The second makes one threshold a strand
        enough to tell one strand from several.

        Args:
            gist: ``[B, W]``.
            labels: ``[B, S]`` bool, at least one True a row.
        """
        scores = self(gist) / self.temperature()
        own = scores.masked_fill(~labels, float("-inf"))
        ranking = (scores.logsumexp(1) - own.logsumexp(1)).mean()
        centred = scores - scores.detach().mean()
        return ranking + F.binary_cross_entropy_with_logits(centred, labels.to(scores.dtype))

    @torch.no_grad()
    def tune(self, gist: Tensor, labels: Tensor) -> None:
        """Set each strand's threshold where its F1 on ``gist`` ``[N, W]`` is largest."""
        scores = self(gist)
        for strand in range(len(self.strands)):
            self.thresholds[strand] = best_threshold(scores[:, strand], labels[:, strand])

    @torch.no_grad()
    def decide(self, gist: Tensor) -> Tensor:
        """Which strands each query goes to, ``[B, S]`` bool; always at least one."""
        logits = self.logits(gist)
        best = F.one_hot(logits.argmax(1), logits.shape[1]).bool()
        return (logits >= 0) | best

    @torch.no_grad()
    def route(self, gist: Tensor) -> list[Route]:
        """Name the strands of each gist ``[B, W]``."""
        logits, chosen = self.logits(gist).tolist(), self.decide(gist).tolist()
        routes = []
        for row, takes in zip(logits, chosen, strict=True):
            order = sorted(range(len(row)), key=lambda n, row=row: -row[n])
            routes.append(
                Route(
                    strands=tuple(self.strands[n] for n in order if takes[n]),
                    scores={
                        name: 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
                        for name, value in zip(self.strands, row, strict=True)
                    },
                )
            )
        return routes

    @torch.no_grad()
    def add_strand(self, name: str, vectors: Tensor, *, threshold: float | None = None) -> None:
        """Register a new strand whose prototypes are ``vectors`` ``[V, W]``.

        Args:
            name: Not taken yet.
            vectors: Gists of its queries; need not be normalised.
            threshold: On the score; by default the least score of the vectors themselves.

        Raises:
            ValueError: The name is taken or the width is another.
        """
        if name in self.strands:
            raise ValueError(f"a strand {name!r} is registered already")
        if vectors.ndim != 2 or vectors.shape[1] != self.width or not len(vectors):
            raise ValueError(f"vectors must be [V, {self.width}], got {list(vectors.shape)}")
        gists = normalise(vectors.detach()).to(self.thresholds)
        fresh = nn.Parameter(self.project(gists))
        self.strands.append(name)
        self.prototypes.append(fresh)
        if threshold is None:
            threshold = float(self(gists)[:, -1].min())
        self.thresholds = torch.cat([self.thresholds, self.thresholds.new_tensor([threshold])])

    def save(self, path: Path) -> None:
        """Write names, prototypes, temperature and thresholds."""
        facts = {
            "kind": "intent_router",
            "strands": self.strands,
            "vectors": [len(p) for p in self.prototypes],
            "width": self.width,
        }
        save_weights(path, self.state_dict(), facts)

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu") -> "IntentRouter":
        """Read a router in evaluation mode.

        Raises:
            DataError: Damaged, or not a router.
        """
        weights, facts = load_weights(path, "intent_router")
        router = cls(facts["width"], 1, facts["strands"])
        for n, count in enumerate(facts["vectors"]):
            router.prototypes[n] = nn.Parameter(torch.zeros(count, facts["width"]))
        load_into(router, weights, path)
        return router.to(device).eval()


def labels_of(strands: Sequence[Sequence[str]], names: Sequence[str] = STRANDS) -> Tensor:
    """Label matrix ``[N, S]`` bool of lists of strand names.

    Raises:
        ValueError: A name that is no strand, or a query without one.
    """
    place = {name: n for n, name in enumerate(names)}
    labels = torch.zeros(len(strands), len(names), dtype=torch.bool)
    for row, own in enumerate(strands):
        unknown = [name for name in own if name not in place]
        if unknown or not own:
            raise ValueError(f"query {row} has strands {list(own)}; known are {list(names)}")
        labels[row, [place[name] for name in own]] = True
    return labels


def best_threshold(scores: Tensor, labels: Tensor) -> float:
    """The threshold ("at or above is positive") of largest F1, midway between two scores.

    Of equally good ones the highest wins. Without positives nothing passes.

    Args:
        scores: ``[N]``.
        labels: ``[N]`` bool.
    """
    if not bool(labels.any()):
        return float(scores.max()) + 1.0
    order = scores.double().argsort(descending=True)
    ranked = scores.double()[order]
    hits = labels[order].double().cumsum(0)
    taken = torch.arange(1, len(scores) + 1, dtype=torch.float64, device=scores.device)
    f1 = 2 * hits / (taken + labels.sum())
    following = torch.cat([ranked[1:], ranked[-1:] - 2e-3])
    f1 = f1.masked_fill(ranked == following, -1.0)  # no threshold parts equal scores
    best = int(f1.argmax())
    return float((ranked[best] + following[best]) / 2)
