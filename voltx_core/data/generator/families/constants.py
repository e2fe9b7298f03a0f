"""The constants that families take: small, of one digit, and larger ones for training."""

SMALL = tuple(range(2, 10))
FACTORS = tuple(range(3, 10))
"""For multiplication and division; 2 is left to the families that double and halve."""
WIDE = tuple(range(10, 100))
"""Constants that only training problems have, for any family that takes one: a model that meets
many numbers must learn to copy them, where it could remember seven."""
