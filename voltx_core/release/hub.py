"""Exported models on the Hugging Face hub."""

import os
from pathlib import Path

from voltx_core.data.hub import out_of_reach
from voltx_core.errors import DataError, StoreError
from voltx_core.release.model_folder import open_model, run_of


def push(folder: Path, repository: str, *, public: bool = False) -> str:
    """Upload an exported model; files that the hub already holds are not sent again.

    The token is the one of ``hf auth login`` or HF_TOKEN; HF_ENDPOINT names another hub.

    Args:
        folder: An exported model; it is verified first.
        repository: ``owner/name``; made when it is not there.
        public: Make a new repository visible to everybody. One that is there stays as it is.

    Returns:
        The address of the commit.

    Raises:
        DataError: The folder is no whole model, or the name is no repository's.
        StoreError: The hub refused or is out of reach.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    open_model(folder)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    hub = HfApi(endpoint=endpoint)
    try:
        hub.create_repo(repository, private=not public, exist_ok=True)
        done = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message=f"voltx run {run_of(folder)}",
        )
    except HFValidationError as error:
        raise DataError(f"{repository!r} is no repository: name it OWNER/NAME ({error}).") from None
    except LocalTokenNotFoundError:
        raise StoreError(
            f"{endpoint} wants a token: run `hf auth login`, or set HF_TOKEN."
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        remedy = (
            "Check that the token (HF_TOKEN or `hf auth login`) may write there."
            if status in (401, 403)
            else "Try again: what has arrived is not sent again."
        )
        raise StoreError(
            f"could not upload to {repository} at {endpoint}: HTTP {status}. {remedy}"
        ) from error
    except out_of_reach() as error:
        raise StoreError(
            f"could not reach {endpoint} ({error}). Check the network and HF_ENDPOINT, and try "
            "again: what has arrived is not sent again."
        ) from error
    return str(done.commit_url)
