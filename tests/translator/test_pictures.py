"""Pictures of the translator show what was measured."""

from pathlib import Path

import pytest
import torch

from voltx_core.frame import ROLES
from voltx_core.translator.pictures import NO_ROLE, draw_roles, draw_summaries, principal_plane


def test_the_principal_plane_is_the_one_the_points_lie_in() -> None:
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(60, 2, generator=generator) * torch.tensor([3.0, 1.0])
    turned = flat @ torch.linalg.qr(torch.randn(8, 8, generator=generator))[0][:2] + 5
    points, (first, second) = principal_plane(turned)
    assert first + second == pytest.approx(1, abs=1e-5)
    assert first > second
    assert torch.allclose(torch.cdist(points, points), torch.cdist(flat, flat), atol=1e-3)
    assert torch.equal(points, principal_plane(turned.clone())[0])


def test_points_on_a_line_and_equal_points_have_a_plane_too() -> None:
    points, (first, second) = principal_plane(torch.arange(4.0).unsqueeze(1))
    assert points.shape == (4, 2)
    assert (first, second) == (pytest.approx(1), 0)
    assert principal_plane(torch.ones(3, 4))[0].abs().max() == 0


def test_pictures_are_drawn_even_of_odd_code(tmp_path: Path) -> None:
    code = "def f(x):\n\tprice = '$x$ \\\\frac'\r\n    return " + "x + " * 60 + "x\n"
    draw_roles(
        {"functions": dict.fromkeys(ROLES[:9], 1 / 9)},
        [(code, [n % 16 for n in range(len(code))]), ("", []), ("x", [NO_ROLE])],
        tmp_path / "roles.png",
    )
    draw_summaries(
        {"one": torch.randn(5, 4), "two": torch.randn(3, 4)}, tmp_path / "s.png", title="Texts"
    )
    for name in ("roles.png", "s.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
