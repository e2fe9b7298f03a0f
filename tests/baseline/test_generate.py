"""Programs from the baseline."""

import torch

from voltx_core.baseline.generate import write_programs
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.shape import Shape


def test_programs_come_back_as_text_whatever_the_batch():
    shape = Shape(vocabulary=384, layers=2, width=32, heads=4, kv_heads=2, hidden=48, context=40)
    model = VinciGPT(shape, generator=torch.Generator().manual_seed(3)).eval()
    tokenizer = CodeTokenizer.train(["def f(x):\n    return x"] * 3, 300)
    queries = ["add", "a much longer query " * 8, "x"]
    whole = write_programs(model, tokenizer, queries, limit=8, batch=3)
    assert whole == write_programs(model, tokenizer, queries, limit=8, batch=2)
    assert all(isinstance(text, str) for text in whole)
