import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.config import resolve
from voltx_core.errors import Interrupted
from voltx_core.hard_core import slots
from voltx_core.hard_core.slots import MOST_WINDOWS, encode_whole, slot_vectors, windows
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator

TEXTS = [f"def f{n}(x):\n    y = x + {n}\n    return y * {n}\n" for n in range(50)]


@pytest.fixture(scope="module")
def translator() -> Translator:
    tokenizer = CodeTokenizer.train(TEXTS, 300)
    torch.manual_seed(0)
    translator = Translator.create(tokenizer, resolve("tiny").translator)
    translator.encoder.eval()
    return translator


def test_every_active_slot_of_every_text_is_kept_with_its_owner(translator):
    found = slot_vectors(translator, TEXTS)
    frame = translator.encode(TEXTS)
    assert len(found.vectors) == int(frame.mask.sum())
    torch.testing.assert_close(found.vectors, frame.slots[frame.mask])
    assert torch.bincount(found.owners, minlength=50).tolist() == frame.mask.sum(1).tolist()


def test_an_interrupted_encoding_ends_bit_identical(translator, tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "CHUNK", 8)
    wanted = slot_vectors(translator, TEXTS)
    starts = []
    for _ in range(2):
        stopping = iter([False, True])
        with pytest.raises(Interrupted):
            slot_vectors(
                translator,
                TEXTS,
                checkpoints=Checkpoints(tmp_path, interval_s=1e9),
                stop=lambda stopping=stopping: next(stopping),
                tell=starts.append,
            )
    found = slot_vectors(translator, TEXTS, checkpoints=Checkpoints(tmp_path), tell=starts.append)
    assert starts == sorted(set(starts))  # nothing was encoded twice
    assert torch.equal(found.vectors, wanted.vectors)
    assert torch.equal(found.owners, wanted.owners)


def test_no_texts_give_no_vectors(translator):
    assert slot_vectors(translator, []).vectors.shape == (0, translator.width)


def test_a_long_program_is_read_to_its_end(translator):
    long = "".join(TEXTS[:12])
    changed = long.replace("return y * 11", "return os.remove")
    bag, mask = encode_whole(translator, [TEXTS[0], long, changed])
    assert bag.shape[:2] == mask.shape
    assert int(mask[0].sum()) < int(mask[1].sum())
    assert not torch.equal(bag[1], bag[2])
    # a single frame does not see that far
    frame = translator.encode([long, changed])
    assert torch.equal(frame.slots[0], frame.slots[1])


def test_a_short_program_has_the_slots_of_its_frame(translator):
    bag, mask = encode_whole(translator, TEXTS[:3])
    frame = translator.encode([text.rstrip("\n") for text in TEXTS[:3]])
    assert torch.equal(mask[:, :16], frame.mask)
    torch.testing.assert_close(bag[:, :16], frame.slots)


@given(st.text(alphabet="ab \n", max_size=400), st.integers(5, 60))
def test_windows_cover_every_line_and_keep_their_size(code, characters):
    found = windows(code, characters)
    assert 1 <= len(found) <= MOST_WINDOWS
    assert all(len(each) <= characters for each in found)
    if len(found) < MOST_WINDOWS:
        text = "\n".join(found)
        for line in code.splitlines():
            assert all(line[n : n + characters] in text for n in range(0, len(line), characters))
