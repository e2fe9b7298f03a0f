"""``voltx vincigpt infer``: write with vinciGPT, or with a published LLaMA, Mistral or Qwen."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained
from voltx_core.errors import ConfigError, StageError

if TYPE_CHECKING:
    import torch

    from voltx_core.vincigpt.model import VinciGPT
    from voltx_core.vincigpt.tokenizer import TextTokenizer
    from voltx_core.vincigpt.writing import Sampling

Prompts = Annotated[
    list[str],
    typer.Option(
        "--prompt",
        metavar="TEXT",
        help="What is continued. May be repeated: all are written in one batch. Without it, lines "
        "are read from the terminal, or one prompt from a pipe.",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FOLDER",
        help="A published model (config.json, *.safetensors, tokenizer.json); default: the newest "
        "vinciGPT of the store.",
    ),
]
Last = Annotated[
    bool, typer.Option("--last", help="The last weights of vinciGPT instead of the best.")
]
Tokens = Annotated[int, typer.Option("--tokens", min=1, help="Most tokens written.")]
Temperature = Annotated[float, typer.Option("--temperature", min=0.0, help="0 is greedy.")]
TopK = Annotated[
    int | None, typer.Option("--top-k", min=1, help="Draw among the k likeliest tokens.")
]
TopP = Annotated[
    float, typer.Option("--top-p", min=0.0, max=1.0, help="Draw from this share of probability.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Decides the draws.")]
Samples = Annotated[int, typer.Option("--samples", "-n", min=1, help="Texts a prompt.")]


@explained()
def infer(
    prompts: Prompts = [],  # noqa: B006 (typer copies it)
    model: Model = None,
    last: Last = False,
    tokens: Tokens = 160,
    temperature: Temperature = 0.8,
    top_k: TopK = None,
    top_p: TopP = 0.95,
    seed: Seed = 0,
    samples: Samples = 1,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Continue texts, token by token as they are written.

    Examples:

      voltx vincigpt infer --prompt "Once upon a time"

      voltx vincigpt infer --prompt "Return" --prompt "Raises" -n 3 --seed 7

      voltx vincigpt infer --model ./Qwen3-0.6B --prompt "def add(a, b):" --temperature 0
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads contend
    from voltx_core.training.randomness import generator
    from voltx_core.vincigpt.writing import Sampling

    network, tokenizer = _load(model, last, store)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    if not prompts and sys.stdin.isatty():
        _converse(network, tokenizer, tokens, sampling, seed)
        return
    asked = [text for text in prompts or [sys.stdin.read()] for _ in range(samples)]
    ids = [_prompt(tokenizer, text, network.shape.context) for text in asked]
    source = generator(seed, "infer")
    if len(asked) == 1 and not as_json:
        _stream(network, tokenizer, asked[0], ids[0], tokens, sampling, source)
        return
    written = _batch(network, tokenizer, ids, tokens, sampling, source)
    rows = [{"prompt": p, "text": w} for p, w in zip(asked, written, strict=True)]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    out = console()
    for row in rows:
        out.print(f"[b]{_literal(row['prompt'])}[/]{_literal(row['text'])}\n", soft_wrap=True)


def _load(folder: Path | None, last: bool, store: str | None) -> "tuple[VinciGPT, TextTokenizer]":
    """A published model, or vinciGPT's own from a folder or the store."""
    from voltx_core.stages import vincigpt as stage
    from voltx_core.stages.machine import device
    from voltx_core.stages.workspace import Workspace
    from voltx_core.vincigpt.model import VinciGPT
    from voltx_core.vincigpt.public import CONFIG, load_public
    from voltx_core.vincigpt.tokenizer import TextTokenizer

    here = device("auto")
    if folder is None:
        workspace = Workspace.open(store)
        made = workspace.artifacts.manifests("vincigpt")
        if not made:
            raise StageError(
                f"{workspace.url} holds no vinciGPT yet. Train one: voltx vincigpt train; or name "
                "the folder of a published model: --model FOLDER."
            )
        folder = workspace.artifacts.fetch(made[0], "vincigpt")
    name = stage.LAST_FILE if last else stage.BEST_FILE
    if (folder / name).is_file() and not (folder / CONFIG).is_file():
        network = VinciGPT.load(folder / name, device=here)
        return network, TextTokenizer.load(folder / stage.TOKENIZER_FILE)
    return load_public(folder, device=here)


def _prompt(tokenizer: "TextTokenizer", text: str, context: int) -> list[int]:
    ids = tokenizer.prompt(text)
    if not 0 < len(ids) < context:
        raise ConfigError(
            f"A prompt of {len(ids)} tokens cannot be continued: the model reads 1 to "
            f"{context - 1}. Give a {'shorter' if ids else 'longer'} one."
        )
    return ids


def _stream(
    network: "VinciGPT",
    tokenizer: "TextTokenizer",
    text: str,
    ids: list[int],
    limit: int,
    sampling: "Sampling",
    source: "torch.Generator",
) -> None:
    from voltx_core.vincigpt.tokenizer import TextStream
    from voltx_core.vincigpt.writing import write

    shown = TextStream(tokenizer)
    print(text, end="", flush=True)
    for (token,) in write(
        network,
        [ids],
        limit=limit,
        end=tokenizer.ends,
        sampling=sampling,
        generator=source,
        entries=tokenizer.entries,
    ):
        if token.id not in tokenizer.ends:
            print(shown.add(token.id), end="", flush=True)
    print()


def _batch(
    network: "VinciGPT",
    tokenizer: "TextTokenizer",
    ids: Sequence[list[int]],
    limit: int,
    sampling: "Sampling",
    source: "torch.Generator",
) -> list[str]:
    from voltx_core.vincigpt.writing import complete

    written = complete(
        network,
        ids,
        limit=limit,
        end=tokenizer.ends,
        sampling=sampling,
        generator=source,
        entries=tokenizer.entries,
    )
    return [tokenizer.decode(completion.ids) for completion in written]


def _converse(
    network: "VinciGPT",
    tokenizer: "TextTokenizer",
    limit: int,
    sampling: "Sampling",
    seed: int,
) -> None:
    """A line is continued, until there are no more lines."""
    from voltx_core.training.randomness import generator

    console(stderr=True).print("A line is continued. Ctrl-D ends.")
    for turn in range(sys.maxsize):
        try:
            text = input("> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        try:
            ids = _prompt(tokenizer, text, network.shape.context)
        except ConfigError as error:
            console(stderr=True).print(str(error), markup=False)
            continue
        source = generator(seed, "infer", turn)
        _stream(network, tokenizer, text, ids, limit, sampling, source)


def _literal(text: str) -> str:
    from rich.markup import escape

    return escape(text)
