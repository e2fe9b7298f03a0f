"""`voltx vincigpt ...`: train a small language model, and write with it or with a public one."""

from voltx_core.cli.discovery import CommandGroup

COMMANDS = {
    "train": "voltx_core.cli.vincigpt_train:train",
    "infer": "voltx_core.cli.vincigpt_infer:infer",
}

vincigpt = CommandGroup(
    name="vincigpt",
    commands_at=COMMANDS,
    entry_points="voltx.vincigpt",
    order=tuple(COMMANDS),
    help=(
        "Train a small language model, and write with it or with a public one.\n\n"
        "[b]voltx vincigpt train[/b] reads the docstrings on this machine and takes about ten "
        "minutes; [b]--preset h100-1h[/b] reads TinyStories. [b]voltx vincigpt infer[/b] writes."
    ),
)
