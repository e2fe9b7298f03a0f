"""Keeping a move only where the decoder is surer after it."""

import torch

from voltx_core.config import resolve
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.soft_core.surest import answer
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator

CONFIG = resolve("tiny", [], environ={})
QUERIES = [f"{verb} the {what}" for verb in ("add", "sort", "drop") for what in ("list", "words")]


def parts() -> tuple[SoftCore, Translator]:
    """Untrained ones; the field moves, or every program would come from one frame."""
    torch.manual_seed(3)
    translator = Translator.create(CodeTokenizer.train(QUERIES * 5, 300), CONFIG.translator)
    core = SoftCore(translator.width, CONFIG.soft_core)
    core.vfn.project.reset_parameters()
    for module in (core, translator.encoder, translator.decoder):
        module.eval()
    return core, translator


def test_each_problem_gets_the_program_that_the_decoder_is_surer_of() -> None:
    core, translator = parts()
    query = translator.encode(QUERIES)
    with torch.no_grad():
        before = translator.write(query)
        after = translator.write(core.solve(query).frame)
    found = answer(core, translator, query)
    for old, new, written, moved in zip(before, after, found.written, found.moved, strict=True):
        surest = max(old.mean_log_probability, new.mean_log_probability)
        assert written.mean_log_probability == surest
        assert written == (new if moved else old)
    assert 0 < int(found.moved.sum()) < len(QUERIES)


def test_the_frame_it_gives_is_the_one_that_was_written_from() -> None:
    core, translator = parts()
    found = answer(core, translator, translator.encode(QUERIES))
    with torch.no_grad():
        again = translator.write(found.trajectory.frame)
    assert [program.ids for program in again] == [program.ids for program in found.written]


def test_a_field_that_stands_still_leaves_the_query_where_it_is() -> None:
    _, translator = parts()
    query = translator.encode(QUERIES)
    found = answer(SoftCore(translator.width, CONFIG.soft_core).eval(), translator, query)
    kept = found.trajectory.frame[~found.moved]
    assert torch.equal(kept.slots, query[~found.moved].slots)
