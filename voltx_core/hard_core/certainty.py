"""The certainty gamma: P(all tests pass), from what the solver can see of its own work.

A logistic model over named features gives a raw certainty; isotonic regression or Platt scaling
maps it to what actually happened. All of it is stored as JSON and evaluated here, in plain NumPy.
"""

import ast
import json
import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltx_core.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from voltx_core.soft_core.rar import Trajectory
    from voltx_core.translator.translator import Written

Floats = NDArray[np.float64]

FEATURES: tuple[str, ...] = (
    "converged_share",
    "final_speed",
    "iterations_share",
    "drift_norm",
    "codebook_cosine",
    "mean_log_probability",
    "log_probability",
    "syntax_valid",
)
"""What gamma is computed from, in order. The sum of the log-probabilities stands beside their
mean because one wrong token is enough to fail, and long programs have more of them."""

FORMAT, VERSION = "voltx-certainty", 1
LISTS = ("mean", "scale", "weights", "x", "y")
FOLDS = 5
RIDGE = 1.0
"""Inverse regularisation strength of the logistic model (scikit-learn's C)."""

Method = Literal["isotonic", "platt", "constant"]


class Nearest(Protocol):
    """A codebook or its index."""

    def nearest(self, vectors: "Tensor") -> "tuple[Tensor, Tensor]":
        """Index and cosine of the nearest entry of each vector."""


def features(
    trajectory: "Trajectory",
    written: "Sequence[Written]",
    codebook: Nearest,
    *,
    budget: int,
    valid: "Callable[[str], bool] | None" = None,
) -> Floats:
    """What can be seen of a batch of solutions without running them.

    Args:
        trajectory: How the soft core arrived at its frames, batch B.
        written: The B programs decoded from them.
        codebook: Where the nearest entry is looked up.
        budget: Most RAR iterations that were allowed.
        valid: Whether a text is a program of its language; Python's by default.

    Returns:
        ``[B, F]``, columns as in ``FEATURES``, finite.
    """
    frame, valid = trajectory.frame, valid or python_valid
    weight = frame.mask.float()
    active = frame.slots[frame.mask]  # [M, W]
    cosine = weight.new_zeros(frame.mask.shape)
    if len(active):
        cosine[frame.mask] = codebook.nearest(active)[1].to(cosine)
    known = (cosine * weight).sum(1) / weight.sum(1).clamp(min=1)  # [B]
    columns = [
        _column(trajectory.converged_share),
        _column(trajectory.speed),
        _column(trajectory.iterations) / budget,
        _column(trajectory.drift),
        _column(known),
        [w.mean_log_probability for w in written],
        [w.log_probability for w in written],
        [float(valid(w.text)) for w in written],
    ]
    # an impossible program has log-probability -inf: very unlikely, and still a number
    return np.nan_to_num(np.stack(columns, axis=1).astype(np.float64), neginf=-1e3, posinf=1e3)


def python_valid(text: str) -> bool:
    """Whether a text parses as Python and says anything at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _column(values: "Tensor") -> Floats:
    return values.detach().double().cpu().numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """A fitted certainty; immutable, JSON in and out.

    Attributes:
        mean: Mean of each feature where the model was fitted.
        scale: Standard deviation of each; 1 where a feature never varied.
        weights: Logistic weight of each standardised feature.
        bias: Logistic intercept.
        method: How the raw certainty is mapped.
        x: Isotonic: raw certainties of the steps. Platt: (slope, intercept) on the raw log-odds.
        y: Isotonic: calibrated certainty at each ``x``, linear in between.
        points: Points it was fitted on.
        pass_rate: Share of those that passed.
        log_losses: Cross-validated log-loss of each method tried.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    method: Method
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    points: int = 0
    pass_rate: float = 0.0
    log_losses: dict[str, float] | None = None

    @classmethod
    def fit(
        cls,
        values: ArrayLike,
        passed: ArrayLike,
        groups: ArrayLike,
        *,
        isotonic_minimum: int = 500,
    ) -> "Certainty":
        """Fit the logistic model, then the map that cross-validates best.

        The map is fitted on raw certainties of folds the logistic model had not seen, cut by
        group, so that no problem vouches for itself.

        Args:
            values: ``[N, F]`` features.
            passed: ``[N]`` booleans: did all tests pass.
            groups: ``[N]`` the problem of each point.
            isotonic_minimum: Fewer points than this only consider Platt scaling.

        Raises:
            ValueError: Malformed points.
        """
        v = np.asarray(values, dtype=np.float64)
        y = np.asarray(passed, dtype=bool)
        if v.shape != (len(y), len(FEATURES)) or not len(y) or not np.isfinite(v).all():
            raise ValueError(f"need finite [N, {len(FEATURES)}] features and N outcomes: {v.shape}")
        rate = float(y.mean())
        mean, spread = v.mean(0), v.std(0)
        scale = np.where(spread > 1e-12, spread, 1.0)
        scaling = {"mean": tuple(mean.tolist()), "scale": tuple(scale.tolist())}
        facts: dict[str, Any] = {**scaling, "points": len(y), "pass_rate": rate}
        folds = _folds(y, groups)
        if folds is None:
            # Laplace's rule of succession: never certain of what was seen only one way
            share = (y.sum() + 1) / (len(y) + 2)
            return cls(
                weights=(0.0,) * len(FEATURES),
                bias=math.log(share / (1 - share)),
                method="constant",
                **facts,
            )
        z = (v - mean) / scale
        raw = np.empty(len(y))
        for fold in folds:
            weights, bias = _logistic(z[~fold], y[~fold])
            raw[fold] = z[fold] @ weights + bias
        methods: list[Method] = ["platt"]
        if len(y) >= isotonic_minimum:
            methods.append("isotonic")
        losses = {m: _cross_validated(m, raw, y, folds) for m in methods}
        best = min(methods, key=lambda m: losses[m])
        x, levels = _fit_map(best, raw, y)
        weights, bias = _logistic(z, y)
        return cls(
            weights=tuple(weights.tolist()),
            bias=bias,
            method=best,
            x=tuple(x.tolist()),
            y=tuple(levels.tolist()),
            log_losses=dict(losses),
            **facts,
        )

    def raw(self, values: ArrayLike) -> Floats:
        """Log-odds of the logistic model, ``[N]``, before calibration."""
        v = np.asarray(values, dtype=np.float64)
        z = (v - np.asarray(self.mean)) / np.asarray(self.scale)
        return z @ np.asarray(self.weights) + self.bias

    def gamma(self, values: ArrayLike) -> Floats:
        """Certainty ``[N]`` in [0, 1] for features ``[N, F]``."""
        return _apply(self.method, self.raw(values), np.asarray(self.x), np.asarray(self.y))

    def save(self, path: Path | str) -> None:
        """Write the model as JSON, in whole or not at all."""
        path = Path(path)
        content = {"format": FORMAT, "version": VERSION, "features": FEATURES, **asdict(self)}
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            partial.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str) -> "Certainty":
        """Read a model and check that this program computes the same features.

        Raises:
            DataError: Names the file and what is wrong.
        """
        try:
            content = json.loads(Path(path).read_text())
            if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
                raise ValueError(f"it is not {FORMAT} version {VERSION}")
            named = tuple(content.pop("features"))
            if named != FEATURES:
                raise ValueError(f"it was fitted on {', '.join(named)}")
            lists = {
                k: tuple(map(float, content[k])) for k in ("mean", "scale", "weights", "x", "y")
            }
            self = cls(**{**content, **lists})
            self._check()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is no usable certainty model: {error or type(error).__name__}. "
                "Run the certainty stage again."
            ) from error
        return self

    def _check(self) -> None:
        numbers = (*self.mean, *self.scale, *self.weights, self.bias, *self.x, *self.y)
        if {len(self.mean), len(self.scale), len(self.weights)} != {len(FEATURES)}:
            raise ValueError("its lists do not match its features")
        if not all(map(math.isfinite, numbers)) or min(self.scale) <= 0:
            raise ValueError(
                "it holds a number that is not finite, or a scale that is not positive"
            )
        if self.method == "isotonic":
            ordered = all(np.diff(self.x) >= 0) and all(np.diff(self.y) >= 0)
            if not self.x or len(self.x) != len(self.y) or not ordered:
                raise ValueError("its isotonic steps do not rise")
        elif self.method == "platt":
            if len(self.x) != 2:
                raise ValueError("Platt scaling needs a slope and an intercept")
        elif self.method != "constant":
            raise ValueError(f"its method {self.method!r} is unknown")


def _logistic(z: Floats, y: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Ridge logistic regression; weights ``[F]`` and intercept."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=RIDGE, max_iter=1000).fit(z, y)
    return model.coef_[0], float(model.intercept_[0])


def _fit_map(method: Method, raw: Floats, y: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    if method == "platt":
        return _platt(raw, y), np.empty(0)
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(raw, y.astype(float))
    # a step of a few points does not prove impossibility: stay a Laplace estimate away from 0, 1
    edge = 1 / (len(y) + 2)
    return model.X_thresholds_, np.clip(model.y_thresholds_, edge, 1 - edge)


def _platt(raw: Floats, y: NDArray[np.bool_]) -> Floats:
    """Slope and intercept on the log-odds, with Platt's smoothed targets (Platt 1999).

    Newton's method with step halving, as Lin, Lin & Weng 2007 advise.
    """
    passes, failures = y.sum(), (~y).sum()
    target = np.where(y, (passes + 1) / (passes + 2), 1 / (failures + 2))
    inputs = np.stack([raw, np.ones_like(raw)], axis=1)  # [N, 2]

    def loss(parameters: Floats) -> float:
        logit = inputs @ parameters
        return float((np.logaddexp(0, logit) - target * logit).mean())

    parameters = np.array([0.0, math.log((passes + 1) / (failures + 1))])
    for _ in range(100):
        p = _sigmoid(inputs @ parameters)
        gradient = inputs.T @ (p - target) / len(y)
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs / len(y) + 1e-10 * np.eye(2)
        step, size, here = np.linalg.solve(hessian, gradient), 1.0, loss(parameters)
        while loss(parameters - size * step) > here and size > 1e-8:
            size /= 2
        parameters = parameters - size * step
        if np.abs(gradient).max() < 1e-10:
            break
    return parameters


def _apply(method: Method, raw: Floats, x: Floats, y: Floats) -> Floats:
    if method == "isotonic":
        return np.interp(raw, x, y)
    if method == "platt":
        return _sigmoid(x[0] * raw + x[1])
    return _sigmoid(raw)


def _cross_validated(
    method: Method, raw: Floats, y: NDArray[np.bool_], folds: list[NDArray[np.bool_]]
) -> float:
    """Mean log-loss of the map on folds it was not fitted on."""
    losses = np.empty(len(y))
    for fold in folds:
        x, levels = _fit_map(method, raw[~fold], y[~fold])
        p = np.clip(_apply(method, raw[fold], x, levels), 1e-12, 1 - 1e-12)
        losses[fold] = -np.where(y[fold], np.log(p), np.log1p(-p))
    return float(losses.mean())


def _folds(y: NDArray[np.bool_], groups: ArrayLike) -> list[NDArray[np.bool_]] | None:
    """Masks of up to ``FOLDS`` folds cut by group, each leaving both outcomes to learn from.

    None when there is no such cut: then there is nothing to tell apart.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    for count in range(min(FOLDS, int(group.max()) + 1), 1, -1):
        folds = [group % count == n for n in range(count)]
        if all(0 < y[~fold].sum() < (~fold).sum() for fold in folds):
            return folds
    return None


def _sigmoid(logit: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -logit))
