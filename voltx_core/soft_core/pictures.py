"""Pictures of the soft core: attention heat maps and trajectories."""

from pathlib import Path

from torch import Tensor

from voltx_core.frame import ROLES


def draw_attention(attention: Tensor, path: Path) -> None:
    """Mean slot attention ``[16, 16]``: rows attend to columns."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(attention.cpu().numpy(), cmap="viridis")
    names = [f"S{n} {role}" if n < 9 else f"S{n}" for n, role in enumerate(ROLES)]
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_title("Slot attention, mean over held-out problems")
    figure.colorbar(image, label="share of attention")
    figure.savefig(path, dpi=120)


def draw_trajectories(cosines: Tensor, path: Path) -> None:
    """Cosine to the solution ``[T, N]`` along N trajectories, with their mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(cosines.cpu().numpy(), color="#4477aa", alpha=0.2, linewidth=0.8)
    axes.plot(cosines.mean(1).cpu().numpy(), color="#aa3377", linewidth=2, label="mean")
    axes.set(xlabel="RAR iteration", ylabel="cosine to the solution's frame")
    axes.set_title("From the query's frame to the solution's")
    axes.legend()
    figure.savefig(path, dpi=120)
