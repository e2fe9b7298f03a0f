"""Commands of `voltx` that need Prefect; the library finds them through entry points."""
