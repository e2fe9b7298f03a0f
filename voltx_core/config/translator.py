"""Text to frames and back (1.1)."""

from typing import Annotated, Literal

from pydantic import Field

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.section import Positive, Rate, Section, Share


class TranslatorConfig(Section):
    """Tokenizer, encoder, decoder, trained together by reconstruction through the slots (1.1)."""

    vocabulary: Annotated[int, Field(ge=300, le=65_536)] = 32_768
    """Byte-level BPE entries."""
    tokenizer_files: Positive = 50_000
    """Corpus files that the tokenizer is trained on."""
    encoder_tokens: Positive = 512
    """Longest input of the encoder; longer text is cut."""
    decoder_tokens: Positive = 256
    """Longest program the decoder writes."""
    slot_width: Positive = 256
    """Width of one slot of a TensorFrame."""
    embedding_width: Positive = 128
    encoder_width: Positive = 256
    lexicon: bool = True
    """A vector of its own for every word, shared by its spellings in text and code, beside what
    the convolutions make of it. With it more programs come back from their frames, and functions
    are found by their description more often (docs/log.md)."""
    decoder_width: Positive = 256
    decoder_blocks: Positive = 4
    decoder_heads: Positive = 4
    objective: Literal["reconstruction", "contrastive"] = "reconstruction"
    """``contrastive`` is the plan's own method, kept for the ablation table."""
    contrastive_weight: float = 0.1
    """Weight of InfoNCE between query and solution summaries."""
    translation_share: Share = 0.5
    """Share of each batch whose solution is written from the query's slots instead of its own:
    the soft core starts there, so they must already carry what the solution needs."""
    role_weight: float = 0.1
    """Weight of the cross-entropy on role labels."""
    temperature: Rate = 0.07
    """Temperature of InfoNCE."""
    slot_noise: float = 1.0
    """Noise norm on slots during training is uniform in [0, slot_noise]."""
    corpus_share: Share = 0.125
    """Share of each batch taken from mined (function, docstring) pairs."""
    corpus_weight: Share = 1.0
    """How much writing a mined function counts beside writing a solution. 0 leaves mined pairs to
    contrast and roles: a small decoder that must hold real functions forgets the problems."""
    query_features: bool = False
    """The decoder also reads the words of the query, by gated cross-attention to the encoder's
    features of each token: they inform what is written and do not replace the frame."""
    query_features_dropout: Share = 0.7
    """Share of the training texts that must be written from the frame alone, so that the decoder
    does not learn to do without it."""
    steps: Positive = 20_000
    batch: Positive = 128
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-4)
