"""What vinciGPT reads: TinyStories, anybody's texts, or the documentation on this machine.

Every source is a stream of ``Text``, read again from its beginning as often as it is asked for.
"""

import ast
import hashlib
import inspect
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voltx_core.data.compression import bare_name, open_binary
from voltx_core.data.harvest import harvest_sources
from voltx_core.data.jsonl import read_rows
from voltx_core.data.parquet import read_parquet
from voltx_core.data.python_source import parse_python
from voltx_core.errors import DataError

Part = Literal["train", "validation"]

KEYS = ("text", "content", "story")
SEPARATOR = "<|endoftext|>"
"""Between the documents of a plain text file."""
LEAST_CHARACTERS = 80
"""A docstring shorter than this is a label."""
FORMS = (".txt", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Text:
    """One document."""

    content: str
    group: str
    """What is held out together: a package, or the document itself."""
    part: Part | None = None
    """Where the source itself says so."""


def machine_texts(seed: int) -> Iterator[Text]:
    """Docstrings of the installed Python packages and the standard library, each once.

    In the seeded order of ``harvest_sources``; a module's docstrings together make a document.
    """
    seen: set[bytes] = set()
    for file in harvest_sources(seed=seed):
        parts = []
        for docstring in docstrings(file.text):
            mark = hashlib.sha256(docstring.encode(errors="replace")).digest()[:8]
            if mark not in seen:
                seen.add(mark)
                parts.append(docstring)
        if parts:
            top = (file.package or file.path).split(".")
            group = ".".join(top[:2]) if top[0] == "stdlib" else top[0]
            yield Text("\n\n".join(parts), group)


def docstrings(source: str) -> list[str]:
    """All docstrings of a module that say something, cleaned, in order."""
    tree = parse_python(source)
    found = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text and len(cleaned := inspect.cleandoc(text).strip()) >= LEAST_CHARACTERS:
                found.append(cleaned)
    return found


def file_texts(path: Path, names: Collection[str] | None = None) -> Iterator[Text]:
    """Documents of a file or, in sorted order, of all files of a folder that can be read.

    Files whose name begins with ``validation`` or ``valid`` are the validation part.

    Args:
        path: ``.txt`` (documents between lines of ``<|endoftext|>``, else one), ``.jsonl`` or
            ``.parquet`` with ``text``, ``content`` or ``story``, plain or compressed; or a folder.
        names: Of a folder, only these files, as seen from there; by default all.

    Raises:
        DataError: Nothing there, or nothing that can be read.
    """
    if not path.is_dir():
        yield from _file(path)
        return
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and _form(p) in FORMS]
    if names is not None:
        files = [p for p in files if p.relative_to(path).as_posix() in names]
    if not files:
        raise DataError(
            f"{path} has no {', '.join(FORMS)} files. Name the folder that holds your texts, or "
            "fetch some: voltx data fetch tinystories."
        )
    held_out = any(_part(p) == "validation" for p in files)
    for file in files:
        part = _part(file) if held_out else None
        for text in _file(file):
            yield Text(text.content, text.group, part)


def held_out(text: Text, seed: int, share: float) -> bool:
    """Whether a text belongs to the validation part; the same for all texts of its group."""
    if text.part is not None:
        return text.part == "validation"
    mark = hashlib.sha256(f"{seed}/validation/{text.group}".encode(errors="replace")).digest()
    return int.from_bytes(mark[:8], "big") < share * 2**64


def _file(path: Path) -> Iterator[Text]:
    form = _form(path)
    if form == ".parquet":
        contents: Iterator[str] = read_parquet(path, _content, columns=KEYS)
    elif form == ".jsonl":
        contents = read_rows(path, _content)
    elif form == ".txt":
        contents = _documents(path)
    else:
        raise DataError(f"{path}: texts come as {', '.join(FORMS)}, plain or compressed.")
    for content in contents:
        yield Text(content, content)


def _documents(path: Path) -> Iterator[str]:
    lines: list[str] = []
    try:
        with open_binary(path) as stream:
            for line in stream:
                text = line.decode()
                if text.strip() == SEPARATOR:
                    yield "".join(lines)
                    lines = []
                else:
                    lines.append(text)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}). Convert it first.") from error
    yield "".join(lines)


def _content(row: dict[str, object]) -> str:
    for key in KEYS:
        if isinstance(text := row.get(key), str):
            return text
    raise DataError(
        f"a row needs a text under {', '.join(map(repr, KEYS))}; this one has "
        f"{', '.join(map(repr, sorted(row))) or 'no keys'}."
    )


def _form(path: Path) -> str:
    return Path(bare_name(path)).suffix.lower()


def _part(path: Path) -> Part:
    return "validation" if path.name.startswith("valid") else "train"
