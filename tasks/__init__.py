"""Prefect adapters: run one stage, publish what it says; nothing else."""
