import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.intents import STRANDS
from voltx_core.errors import DataError
from voltx_core.frame import normalise
from voltx_core.hard_core.router import IntentRouter, best_threshold, labels_of


def queries(count: int, width: int = 24, seed: int = 0):
    """Gists near one or two of five directions; the label says which."""
    draw = torch.Generator().manual_seed(99)
    centres = normalise(torch.randn(len(STRANDS), width, generator=draw))
    draw = torch.Generator().manual_seed(seed)
    labels = torch.zeros(count, len(STRANDS), dtype=torch.bool)
    labels[torch.arange(count), torch.randint(len(STRANDS), (count,), generator=draw)] = True
    second = torch.rand(count, generator=draw) < 0.2
    labels[second, torch.randint(len(STRANDS), (int(second.sum()),), generator=draw)] = True
    gists = normalise(labels.float() @ centres + 0.05 * torch.randn(count, width, generator=draw))
    return gists, labels


def trained(seed: int = 0) -> IntentRouter:
    gists, labels = queries(600, seed=seed)
    router = IntentRouter(24, 4)
    router.start(gists, labels, torch.Generator().manual_seed(seed))
    adam = torch.optim.AdamW(router.parameters(), lr=1e-2)
    for step in range(60):
        rows = slice(step % 6 * 100, step % 6 * 100 + 100)
        adam.zero_grad()
        router.loss(gists[rows], labels[rows]).backward()
        adam.step()
    router.tune(gists, labels)
    return router.eval()


@pytest.fixture(scope="module")
def router() -> IntentRouter:
    return trained()


def test_training_routes_new_queries_to_exactly_their_strands(router):
    gists, labels = queries(400, seed=5)
    assert float((router.decide(gists) == labels).all(1).float().mean()) > 0.95


def test_the_loss_falls_by_following_its_gradient():
    gists, labels = queries(100)
    router = IntentRouter(24, 4)
    router.start(gists, labels, torch.Generator().manual_seed(0))
    before = router.loss(gists, labels)
    before.backward()
    with torch.no_grad():
        for parameter in router.parameters():
            parameter -= 1e-3 * parameter.grad
    assert float(router.loss(gists, labels).detach()) < float(before.detach())


def test_the_gradient_of_the_loss_is_exact():
    gists, labels = queries(6, width=5)
    router = IntentRouter(5, 2).double()
    router.start(gists.double(), labels, torch.Generator().manual_seed(0))
    fixed = float((router(gists.double()) / router.temperature()).detach().mean())

    def loss(*prototypes: torch.Tensor) -> torch.Tensor:
        scores = torch.func.functional_call(
            router, {f"prototypes.{n}": p for n, p in enumerate(prototypes)}, gists.double()
        )
        scores = scores / router.temperature().detach()
        own = scores.masked_fill(~labels, float("-inf"))
        ranking = (scores.logsumexp(1) - own.logsumexp(1)).mean()
        return ranking + torch.nn.functional.binary_cross_entropy_with_logits(
            scores - fixed, labels.double()
        )

    inputs = tuple(p.detach().clone().requires_grad_() for p in router.prototypes)
    assert torch.autograd.gradcheck(loss, inputs)
    loss(*inputs).backward()
    router.loss(gists.double(), labels).backward()
    for ours, theirs in zip(router.prototypes, inputs, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_score_lies_between_the_mean_and_the_largest_cosine(router):
    gists, _ = queries(50, seed=3)
    with torch.no_grad():
        scores = router(gists)
        for n, prototypes in enumerate(router.prototypes):
            cosine = router.project(gists) @ normalise(prototypes).T
            assert bool((scores[:, n] <= cosine.max(1).values + 1e-5).all())
            assert bool((scores[:, n] >= cosine.mean(1) - 1e-5).all())


def test_every_query_goes_somewhere_even_below_all_thresholds(router):
    router = copy.deepcopy(router)
    router.thresholds += 10
    gists, _ = queries(20)
    assert all(len(route.strands) == 1 for route in router.route(gists))


def test_routes_name_strands_best_first(router):
    gists, _ = queries(50, seed=4)
    for route in router.route(gists):
        assert set(route.scores) == set(STRANDS)
        ranked = [route.scores[name] for name in route.strands]
        assert ranked == sorted(ranked, reverse=True)


def test_a_saved_router_routes_alike(router, tmp_path):
    gists, _ = queries(40, seed=6)
    router.save(tmp_path / "r.safetensors")
    again = IntentRouter.load(tmp_path / "r.safetensors")
    assert again.route(gists) == router.route(gists)
    again.save(tmp_path / "again.safetensors")
    first, second = (tmp_path / n for n in ("r.safetensors", "again.safetensors"))
    assert first.read_bytes() == second.read_bytes()


def test_a_new_strand_attracts_its_own_and_leaves_the_others(router, tmp_path):
    router = copy.deepcopy(router)
    gists, _ = queries(60, seed=7)
    before = [route.strands for route in router.route(gists)]
    draw = torch.Generator().manual_seed(1)
    fresh = torch.randn(24, generator=draw) + 0.1 * torch.randn(7, 24, generator=draw)
    router.add_strand("Sorting", fresh)
    assert all("Sorting" in route.strands for route in router.route(normalise(fresh)))
    kept = [route.strands == old for route, old in zip(router.route(gists), before, strict=True)]
    assert sum(kept) > 0.9 * len(kept)
    router.save(tmp_path / "r.safetensors")
    again = IntentRouter.load(tmp_path / "r.safetensors")
    assert again.strands[-1] == "Sorting"
    assert again.route(gists) == router.route(gists)


def test_a_strand_cannot_be_registered_twice_or_in_another_width():
    router = IntentRouter(8, 2)
    with pytest.raises(ValueError, match="registered already"):
        router.add_strand("MathEngine", torch.ones(1, 8))
    with pytest.raises(ValueError, match=r"\[V, 8\]"):
        router.add_strand("New", torch.ones(1, 9))


def test_other_weights_are_refused(tmp_path):
    from voltx_core.weights import save_weights

    save_weights(tmp_path / "x.safetensors", {"a": torch.ones(1)}, {"kind": "decoder"})
    with pytest.raises(DataError, match="expected 'intent_router'"):
        IntentRouter.load(tmp_path / "x.safetensors")


def test_labels_are_matrices_of_names():
    labels = labels_of([["MathEngine"], ["CodeRunner", "CodeExplainer"]])
    assert labels.tolist() == [[False] * 3 + [True, False], [True, False, True, False, False]]
    with pytest.raises(ValueError, match="Chef"):
        labels_of([["Chef"]])
    with pytest.raises(ValueError, match="query 0"):
        labels_of([[]])


def f1(scores, labels, threshold):
    chosen = [s >= threshold for s in scores]
    hits = sum(c and y for c, y in zip(chosen, labels, strict=True))
    return 2 * hits / max(1, sum(chosen) + sum(labels))


@given(st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=1, max_size=20))
def test_no_threshold_has_a_better_f1(points):
    scores, labels = [s / 8 for s, _ in points], [y for _, y in points]
    found = best_threshold(torch.tensor(scores), torch.tensor(labels))
    wanted = max(f1(scores, labels, t) for t in [*scores, 100.0])
    assert f1(scores, labels, found) == pytest.approx(wanted)
