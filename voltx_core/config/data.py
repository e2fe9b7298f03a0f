"""What the model learns from (stage 1.0)."""

from typing import Annotated, Literal

from pydantic import Field

from voltx_core.config.section import Count, Positive, Section


class DataConfig(Section):
    """What the model learns from and is examined on (stage 1.0)."""

    directory: str | None = None
    """Folder of published data sets; the variable VOLTX_DATA_DIR sets it when this is empty."""
    problems: str | None = None
    """Your own training problems: a ``.jsonl`` or ``.jsonl.gz`` file in the problem format."""
    on_bad: Literal["raise", "skip"] = "raise"
    """A bad line of yours ends the stage at once, or is reported, counted and left out."""
    corpus: str | None = None
    """Your own source files: a folder or a ``.jsonl`` with ``content`` or ``code``. Without it,
    the Python sources installed on this machine are harvested."""
    generated_problems: Count = 20_000
    """Generated training problems (besides published or own ones)."""
    evaluation_problems: Positive = 1_000
    """Generated problems in each held-out set: validation, calibration, held-out problems,
    held-out compositions, held-out phrasings."""
    corpus_files: Positive = 160_000
    """Most source files kept for tokenizer and codebook; 39 vectors a centroid need 160,000."""
    corpus_mib: Positive = 4_096
    """Most MiB of source text kept."""
    pairs: Positive = 100_000
    """Most (function, docstring) pairs mined from the corpus."""
    apps_levels: tuple[Literal["introductory", "interview", "competition"], ...] = (
        "introductory",
        "interview",
        "competition",
    )
    """APPS difficulties used for training where the data set is present."""
    augmentation: Annotated[int, Field(ge=1)] = 10
    """Versions of each published training problem: itself plus renamed and paraphrased copies."""
    intents: Positive = 10_000
    """Labelled queries for the intent router."""
    held_out_intents: Positive = 2_000
    """Router queries of held-out templates and sources."""
    overlap_ngrams: tuple[int, ...] = (8, 13)
    """A training problem sharing an n-gram of one of these lengths with an exam is dropped."""
    allow_contamination: bool = False
    """Train on exam problems as the plan did; every affected score is labelled."""
