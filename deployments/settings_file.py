"""`prefect.toml` in the project folder: how the plain Prefect command line finds our server.

Prefect reads it from the current folder, after the environment and before profiles. So
`prefect deployment run voltx/full` works as typed there, and the user's profiles, which belong to
other projects too, stay as they are. Git ignores it; `voltx down` removes it. A file that is not
ours is never touched, nor is one that other services of the same folder wrote and still need.
"""

from pathlib import Path

from deployments.services import Running

NAME = "prefect.toml"
MARK = "# Written by `voltx up`, removed by `voltx down`."
HOME = "# For the services of "


def write(project: Path, api_url: str, home: Path) -> bool:
    """Point Prefect in this folder at the server.

    Args:
        project: The folder.
        api_url: The server.
        home: Of the services that the file is for.

    Returns:
        Whether it does now. A file of the user's, or one that services of another home need, is
        left alone.
    """
    path = project / NAME
    url = f'url = "{api_url}"'
    if path.exists():
        if not path.read_text().startswith(MARK):
            return False
        owner = _owner(path)
        if owner not in (None, home) and (running := Running.load(owner)) and running.alive():
            return url in path.read_text()
    text = f"{MARK}\n{HOME}{home}\n[api]\n{url}\n"
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
    return True


def remove(project: Path, home: Path) -> bool:
    """Remove the file if it is that of this home; whether it was."""
    path = project / NAME
    if not path.exists() or _owner(path) != home:
        return False
    path.unlink()
    return True


def _owner(path: Path) -> Path | None:
    """Home of the services that a file is for; None when it is not ours."""
    mark, _, rest = path.read_text().partition("\n")
    return Path(rest.partition("\n")[0].removeprefix(HOME)) if mark == MARK else None
