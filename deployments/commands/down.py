"""`voltx down`: stop what `voltx up` started."""

from voltx_core.cli.options import console, explained


@explained()
def down() -> None:
    """Stop the server and the workers that `voltx up` started here, and nothing else.

    Stages at work are asked to save their progress first, and have 30 seconds for it; the next
    run goes on from there. Processes are known by pid and start time, so a stranger who got an
    old pid is safe. Results and reports stay.
    """
    from deployments.departure import take_down

    out = console()
    stopped = take_down(out.print)
    for what in stopped:
        out.print(f"Stopped {what}", soft_wrap=True)
    if not stopped:
        out.print("Nothing was up here.")
    out.print("Next: [b]voltx up[/] or [b]voltx run[/]")
