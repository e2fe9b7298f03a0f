"""vinciGPT: a decoder-only transformer, its data, its training, its writing.

Also the transformer that Volt X is measured against (``voltx_core.baseline``), and the loader of
public LLaMA, Mistral and Qwen checkpoints.
"""
