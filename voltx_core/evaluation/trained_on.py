"""How a model came to know a language, as 5.2 writes it and the report reads it."""

PYTHON, BOTH, ALONE = "Python only", "with the language", "the language alone"
