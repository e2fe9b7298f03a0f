"""Other words for the same request: seeded templates over the queries of published sets."""

import random
import re

OPENING = re.compile(
    r"^\s*(?:please\s+)?(?:write|create|implement|define)\s+(?:a|an|the)?\s*(?:python\s+)?"
    r"(?:function|program|method|code|script)\s*(?:in python\s*)?(?P<link>to|that|which|for)\s+",
    re.IGNORECASE,
)

OPENINGS = {
    "to": (
        "Write a function to {rest}",
        "Implement a function to {rest}",
        "Create a Python function to {rest}",
        "Define a function to {rest}",
        "I need a function to {rest}",
        "Give me Python code to {rest}",
        "How would you write a function to {rest}",
        "Your task is to write a function to {rest}",
        "Please {rest}",
    ),
    "that": (
        "Write a function that {rest}",
        "Implement a function that {rest}",
        "Create a Python function that {rest}",
        "Define a function that {rest}",
        "I need a function that {rest}",
        "Give me a function which {rest}",
    ),
    "for": (
        "Write a function for {rest}",
        "Implement {rest}",
        "Create a Python function for {rest}",
        "I need a function for {rest}",
    ),
}
FRAMES = (
    "{query}",
    "Solve this in Python.\n{query}",
    "Task: {query}",
    "Here is what the code must do.\n{query}",
    "Write Python code for the following.\n{query}",
    "Problem: {query}",
)


def paraphrase(query: str, rng: random.Random) -> str:
    """The request in other words; may come out unchanged.

    Only the opening changes: "Write a function to ..." and its kin are exchanged, other queries
    get a frame. Whatever follows, signatures and examples included, stays exactly.
    """
    if opening := OPENING.match(query):
        link = opening["link"].lower()
        rest = query[opening.end() :]
        return rng.choice(OPENINGS["that" if link == "which" else link]).format_map({"rest": rest})
    return rng.choice(FRAMES).format_map({"query": query})
