"""The operation families: what each means, what it is called, nothing about any language."""
