"""The constants that families take: small, so that a tokenizer can hold each as one token."""

SMALL = tuple(range(2, 10))
FACTORS = tuple(range(3, 10))
"""For multiplication and division; 2 is left to the families that double and halve."""
