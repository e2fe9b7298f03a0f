"""Labelled queries for the intent router, from templates over many sources.

A strand must be told from how something is asked, not from what it is about, so every kind of
material (tasks, code, maths, search phrases) is asked about in the ways of several strands; and
what is held out are whole templates and whole sources.
"""

from voltx_core.data.intents.builder import Intent, build_intents
from voltx_core.data.intents.templates import STRANDS

__all__ = ["STRANDS", "Intent", "build_intents"]
