"""`prefect.toml` in the project folder: how the plain Prefect command line finds our server.

Prefect reads it from the current folder, after the environment and before profiles. So
`prefect deployment run voltx/full` works as typed there, and the user's profiles, which belong to
other projects too, stay as they are. Git ignores it; `voltx down` removes it. A file that is not
ours is never touched.
"""

from pathlib import Path

NAME = "prefect.toml"
MARK = "# Written by `voltx up`, removed by `voltx down`."


def write(project: Path, api_url: str) -> bool:
    """Point Prefect in this folder at the server.

    Returns:
        False when the folder has a file of its own, which is left alone.
    """
    path = project / NAME
    if path.exists() and not path.read_text().startswith(MARK):
        return False
    text = f'{MARK}\n[api]\nurl = "{api_url}"\n'
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
    return True


def remove(project: Path) -> bool:
    """Remove the file if it is ours; whether it was."""
    path = project / NAME
    if not path.exists() or not path.read_text().startswith(MARK):
        return False
    path.unlink()
    return True
