"""A source file as data: its text, and what is known of where it comes from."""

from dataclasses import dataclass
from pathlib import PurePath

LANGUAGE_OF_SUFFIX = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".java": "java",
    ".rs": "rust",
    ".go": "go",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file of source code.

    ``path`` is relative to where the corpus starts, with "/" between its parts, so it is the same
    on every machine. ``package`` is what hold-outs go by: files of one package resemble each
    other. ``language`` is None when nothing says it.
    """

    path: str
    text: str
    package: str | None = None
    language: str | None = None


def language_of(path: str) -> str | None:
    """The language that the file's suffix tells, or None."""
    return LANGUAGE_OF_SUFFIX.get(PurePath(path).suffix.lower())


def decode_source(data: bytes) -> str | None:
    """The text of a source file with Unix newlines, or None when it is not UTF-8 text."""
    if b"\0" in data:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")
