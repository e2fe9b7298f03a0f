"""How tasks are written down, one module per language."""
