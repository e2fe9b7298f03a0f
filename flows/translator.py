"""Phase 1: data, and the translator that learns to read and write with it."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def data(run: Run) -> Waits:
    """Problems, corpus, pairs and intents, converted, split and checked for overlap."""
    return run_stage(run, "data", "1.0 · data")


def translator(run: Run, *after: Waits) -> Waits:
    """Tokenizer, encoder with roles, and decoder, by joint reconstruction through the slots."""
    return run_stage(run, "translator", "1 · translator", *after)
