"""Fallback for text that is no Python, or does not parse: dangerous words, outside comments.

Words are a coarser net than a syntax tree: names in strings count too.
"""

import re
from collections.abc import Iterator

from voltx_core.hard_core.axioms import Axiom
from voltx_core.hard_core.guard.rules import DESTRUCTIVE, DROPPING, RULES, SECRET, Charge
from voltx_core.hard_core.guard.values import Call

COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)

WORDS: tuple[tuple[re.Pattern[str], Axiom, str], ...] = tuple(
    (re.compile(pattern), axiom, reason)
    for pattern, axiom, reason in (
        (
            r"\bos\s*\.\s*(remove|unlink|rmdir|removedirs|kill|truncate)\b|\brmtree\b"
            r"|\bfs\s*\.\s*(rm|unlink|rmdir|truncate)(Sync)?\b|\bFiles\s*\.\s*delete|\.delete\(\)"
            r"|\bos\s*\.\s*(RemoveAll|Remove)\b|\bfs::remove_(file|dir)",
            Axiom.HARM,
            "deletes files",
        ),
        (
            r"\bos\s*\.\s*(system|popen|exec\w*|spawn\w*)\b|\bsubprocess\b|\bchild_process\b"
            r"|\bgetRuntime\(\)|\bProcessBuilder\b|\bprocess::Command\b|\bexec\s*\.\s*Command\b",
            Axiom.HARM,
            "starts another program",
        ),
        (
            r"\b(socket|requests|urllib|smtplib|ftplib|paramiko|httpx)\s*\.\s*\w+"
            r"|\bfetch\s*\(|\bXMLHttpRequest\b|\bHttpURLConnection\b|\bnet\s*\.\s*(Dial|connect)\b"
            r"|\bTcpStream\b|\bhttp\s*\.\s*(Post|request)\b",
            Axiom.PRIVACY,
            "reaches the network",
        ),
        (
            r"(?<![\w.])(exec|eval|compile|__import__)\s*\(|\bimportlib\b|\bctypes\b|\bmarshal\b"
            r"|\bpickle\s*\.\s*loads?\b|\bbase64\b|\bb64decode\b|__subclasses__|__globals__"
            r"|\bnew\s+Function\s*\(|\batob\s*\(|\bunsafe\s*\{|setAccessible\s*\(",
            Axiom.HONESTY,
            "executes or imports what cannot be read",
        ),
        (
            r"\bset(e|re|res)?[ug]id\b|\bchmod\b|\bchown\b|\bsudo\b|\bsudoers\b|\bcrontab\b"
            r"|\.bashrc\b",
            Axiom.AUTONOMY,
            "raises its rights or stays behind",
        ),
        (
            r"\bos\s*\.\s*fork\b|\bpynput\b|\bkeylog|\bGetAsyncKeyState\b",
            Axiom.BENEFICENCE,
            "multiplies itself or spies",
        ),
    )
)


def charges(text: str) -> Iterator[Charge]:
    """What the words of a text are held against it."""
    text = COMMENT.sub(" ", text)
    for pattern, axiom, reason in WORDS:
        if pattern.search(text):
            yield axiom, reason
    if DESTRUCTIVE.search(text) or DROPPING.search(text):
        yield Axiom.HARM, "mentions a destructive command"
    if SECRET.search(text):
        yield Axiom.PRIVACY, "mentions where secrets are kept"
    for path in RULES:
        if path.count(".") == 1 and not path.startswith("builtins.") and path in text:
            yield from RULES[path](Call(path))
