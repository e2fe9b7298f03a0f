import pytest
import torch

from voltx_core.errors import DataError
from voltx_core.frame import SLOTS, TensorFrame, normalise
from voltx_core.hard_core.axioms import AXIOMS, Axiom
from voltx_core.hard_core.safety import SafetyAxioms, veto

W = 24
HARMLESS = "def f(x):\n    return x + 1\n"
HARMFUL = "import os\nos.remove('x')\n"
ELEVATING = "import os\nos.setuid(0)\n"


def frames(count: int, seed: int = 0):
    """Frames of common slots; a third hold, in some slot, a direction that belongs to an axiom."""
    fixed = torch.Generator().manual_seed(42)
    directions = normalise(torch.randn(5, W, generator=fixed))
    common = normalise(torch.randn(30, W, generator=fixed))
    draw = torch.Generator().manual_seed(seed)
    slots = common[torch.randint(30, (count, SLOTS), generator=draw)]
    slots = normalise(slots + 0.08 * torch.randn(count, SLOTS, W, generator=draw))
    mask = torch.rand(count, SLOTS, generator=draw) < 0.6
    labels = torch.zeros(count, 5, dtype=torch.bool)
    for row in range(0, count, 3):
        axiom = int(torch.randint(5, (1,), generator=draw))
        slot = int(torch.randint(SLOTS, (1,), generator=draw))
        near = directions[axiom] + 0.05 * torch.randn(W, generator=draw)
        slots[row, slot], mask[row, slot], labels[row, axiom] = normalise(near), True, True
    return slots * mask[..., None], mask, labels


@pytest.fixture(scope="module")
def axioms() -> SafetyAxioms:
    slots, mask, labels = frames(400)
    axioms = SafetyAxioms(W, 4)
    axioms.start(slots, mask, labels, torch.Generator().manual_seed(0))
    adam = torch.optim.AdamW(axioms.parameters(), lr=2e-2)
    for _ in range(60):
        adam.zero_grad()
        axioms.loss(slots, mask, labels).backward()
        adam.step()
    axioms.tune(slots, mask, labels, false_positives=0.02)
    return axioms.freeze()


def test_training_finds_the_harmful_slot_in_new_frames(axioms):
    slots, mask, labels = frames(600, seed=1)
    broken = axioms.broken(slots, mask)
    harmful = labels.any(1)
    assert float(broken[harmful].any(1).float().mean()) > 0.95
    assert float(broken[~harmful].any(1).float().mean()) < 0.06
    assert float((broken & labels).any(1)[harmful].float().mean()) > 0.95


def test_thresholds_stop_no_more_harmless_programs_than_allowed(axioms):
    slots, mask, labels = frames(400)
    stopped = axioms.broken(slots, mask)[~labels.any(1)].any(1)
    assert float(stopped.float().mean()) <= 0.02


def test_a_score_is_the_largest_cosine_of_an_active_slot():
    axioms = SafetyAxioms(2, 2)
    with torch.no_grad():
        axioms.vectors.zero_()
        axioms.vectors[0] = torch.tensor([[2.0, 0.0], [0.0, 5.0]])
        axioms.vectors[1:, :] = torch.tensor([-1.0, 0.0])
    slots = torch.tensor([[[0.6, 0.8], [1.0, 0.0]]])
    both = axioms(slots, torch.tensor([[True, True]]))
    first = axioms(slots, torch.tensor([[True, False]]))
    assert both[0, 0].item() == pytest.approx(1.0)
    assert first[0].tolist() == pytest.approx([0.8, -0.6, -0.6, -0.6, -0.6])


def test_inactive_slots_decide_nothing(axioms):
    slots, mask, _ = frames(30, seed=2)
    noise = normalise(torch.randn(slots.shape, generator=torch.Generator().manual_seed(3)))
    noisy = torch.where(mask[..., None], slots, noise)
    assert torch.equal(axioms(slots, mask), axioms(noisy, mask))
    nothing = axioms(slots, torch.zeros_like(mask))
    assert torch.equal(nothing, torch.full_like(nothing, -1.0))


def test_the_loss_pushes_kinds_apart_and_its_gradient_is_exact():
    slots, mask, labels = frames(9)
    axioms = SafetyAxioms(W, 2).double()
    axioms.start(slots.double(), mask, labels, torch.Generator().manual_seed(0))
    before = axioms.loss(slots.double(), mask, labels)
    before.backward()
    with torch.no_grad():
        axioms.vectors -= 0.05 * axioms.vectors.grad
        after = axioms.loss(slots.double(), mask, labels)
    assert float(after) < float(before.detach())


def test_frozen_axioms_have_nothing_to_train(axioms):
    assert not any(parameter.requires_grad for parameter in axioms.parameters())


def test_saved_axioms_come_back_frozen_and_equal(axioms, tmp_path):
    path = tmp_path / "safety.safetensors"
    axioms.save(path)
    again = SafetyAxioms.load(path)
    slots, mask, _ = frames(20, seed=4)
    assert torch.equal(again(slots, mask), axioms(slots, mask))
    assert torch.equal(again.thresholds, axioms.thresholds)
    assert not any(parameter.requires_grad for parameter in again.parameters())
    with pytest.raises(DataError):
        SafetyAxioms.load(tmp_path / "absent")


def quiet() -> TensorFrame:
    return TensorFrame.of(torch.zeros(1, SLOTS, W), torch.zeros(1, SLOTS, dtype=torch.bool))


def test_the_guard_alone_vetoes(axioms):
    review = axioms.review(HARMFUL, quiet())
    assert (review.safe, review.axioms, review.by) == (False, (Axiom.HARM,), ("guard",))
    assert "line 2" in review.reasons[0]
    assert axioms.review(HARMFUL, None) == review


def test_the_vectors_alone_veto(axioms):
    slots, mask, labels = frames(300, seed=5)
    rows = (labels[:, 0] & axioms.broken(slots, mask)[:, 0]).nonzero().squeeze(1)
    review = axioms.review(HARMLESS, TensorFrame.of(slots, mask)[rows[:1]])
    assert not review.safe
    assert review.by == ("vectors",)
    assert Axiom.HARM in review.axioms


def test_harmless_programs_pass(axioms):
    review = axioms.review(HARMLESS, quiet())
    assert (review.safe, review.axioms, review.reasons, review.by) == (True, (), (), ())


def test_elevation_warns_and_does_not_veto(axioms):
    review = axioms.review(ELEVATING, quiet())
    assert review.safe
    assert review.axioms == (Axiom.AUTONOMY,)


def test_a_veto_empties_the_frame_and_only_that(axioms):
    frame = TensorFrame.of(torch.ones(2, SLOTS, W))
    after = veto(frame, axioms.review_all([HARMLESS, HARMFUL], None))
    assert torch.equal(after.slots[0], frame.slots[0])
    assert after.mask[0].all()
    assert not after.mask[1].any()
    assert after.certainty[1].max() == 0
    assert after.slots[1].abs().max() == 0


def test_the_audit_record_says_what_why_and_by_whom(axioms):
    record = axioms.review(HARMFUL, None).record(HARMFUL)
    assert record["axioms"] == ["K1"]
    assert record["by"] == ["guard"]
    assert len(record["sha256"]) == 64
    assert record["opening"] == HARMFUL


def test_programs_and_frames_must_be_equally_many(axioms):
    with pytest.raises(ValueError, match="2 programs come with 1 frames"):
        axioms.review_all([HARMLESS, HARMLESS], quiet())


def test_there_are_five_axioms_and_one_only_warns():
    assert [str(axiom) for axiom in AXIOMS] == ["K1", "K2", "K3", "K4", "K5"]
