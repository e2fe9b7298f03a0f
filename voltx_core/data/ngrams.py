"""Word n-grams of text as 64-bit hashes: the same in every process, compact, fast to compare."""

import hashlib
import re
from functools import lru_cache

import numpy as np

WORD = re.compile(r"[^\W_]+")
CODE_TOKEN = re.compile(r"[^\W\d]\w*|\d[\w.]*|[-+*/%<>=!&|^~@]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def words_of(text: str) -> list[str]:
    """Lower-case words and numbers; punctuation, case and line breaks do not count."""
    return WORD.findall(text.lower())


def code_tokens_of(code: str) -> list[str]:
    """Names, numbers and operators; brackets, separators and layout do not count."""
    return CODE_TOKEN.findall(code)


def gram_hashes(tokens: list[str], n: int) -> np.ndarray:
    """Hashes of all runs of ``n`` tokens, in order.

    Returns:
        uint64 ``[max(0, len(tokens) - n + 1)]``.
    """
    count = len(tokens) - n + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    hashes = np.fromiter(map(_token_hash, tokens), dtype=np.uint64, count=len(tokens))
    grams = np.zeros(count, dtype=np.uint64)
    for offset in range(n):  # a polynomial in the multiplier, modulo 2^64
        grams = grams * _MULTIPLIER + hashes[offset : offset + count]
    return grams ^ (grams >> np.uint64(29))


@lru_cache(maxsize=1 << 16)
def _token_hash(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(errors="replace"), digest_size=8).digest())
