"""Public checkpoints: folders of LLaMA, Mistral, Qwen2 and Qwen3 as their authors publish them.

``config.json`` says the shape, ``*.safetensors`` hold the weights, ``tokenizer.json`` the tokens.
What this model cannot do exactly is refused by name, never approximated.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voltx_core.errors import DataError
from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.shape import Shape
from voltx_core.vincigpt.tokenizer import TextTokenizer
from voltx_core.weights import load_into

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
CONFIG, TOKENIZER, GENERATION = "config.json", "tokenizer.json", "generation_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

_TOP = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "head.weight",
}
_IN_LAYER = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "feed_forward_norm",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.output",
    "self_attn.q_norm": "attention.query_norm",
    "self_attn.k_norm": "attention.key_norm",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.up",
    "mlp.down_proj": "feed_forward.down",
}


def load_public(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[VinciGPT, TextTokenizer]:
    """Model, in evaluation mode, and tokenizer of a published folder.

    Raises:
        DataError: A file is missing or damaged, or the config asks for what is not supported.
    """
    config = _json(folder / CONFIG)
    model = load_model(folder, config, device=device, dtype=dtype)
    return model, load_tokenizer(folder, config)


def load_model(
    folder: Path, config: Mapping[str, Any], *, device: str, dtype: torch.dtype
) -> VinciGPT:
    """The weights of a published folder, in a model of their shape."""
    shape = shape_of(config, str(folder / CONFIG))
    with torch.device("meta"):  # nothing is drawn for weights that are read anyway
        model = VinciGPT(shape)
    model = model.to_empty(device="cpu").to(dtype)
    tensors = {
        name: tensor.to(dtype)
        for source, tensor in _weights(folder).items()
        if (name := _name(source, shape.tied)) is not None
    }
    load_into(model, tensors, folder)
    model.set_angles()
    return model.to(device).eval()


def shape_of(config: Mapping[str, Any], where: str = CONFIG) -> Shape:
    """The shape that a published ``config.json`` describes.

    Raises:
        DataError: A key is missing or wrong, or something in it is not supported.
    """
    family = config.get("model_type")
    if family not in FAMILIES:
        raise DataError(
            f"{where}: model_type {family!r} is not supported. Known: {', '.join(FAMILIES)}."
        )
    wrong = [
        f"{key} = {config[key]!r} (only {allowed!r})"
        for key, allowed in (("hidden_act", "silu"), ("mlp_bias", False))
        if config.get(key, allowed) != allowed
    ]
    if config.get("quantization_config"):
        wrong.append("quantization_config (only plain weights)")
    biased = bool(config.get("attention_bias", False))
    try:
        rope = _rope(config, wrong)
        window = _window(config, str(family), wrong)
        if wrong:
            raise DataError(
                f"{where}: not supported: {'; '.join(wrong)}. Results would differ from the "
                "published model's, so it is not loaded."
            )
        heads = int(config["num_attention_heads"])
        return Shape(
            vocabulary=int(config["vocab_size"]),
            layers=int(config["num_hidden_layers"]),
            width=int(config["hidden_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            hidden=int(config["intermediate_size"]),
            context=int(config["max_position_embeddings"]),
            head=int(config["head_dim"]) if config.get("head_dim") else None,
            norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            qkv_bias=biased or family == "qwen2",
            output_bias=biased and family != "qwen2",
            qk_norm=family == "qwen3",
            tied=bool(config.get("tie_word_embeddings", False)),
            window=window,
            **rope,
        )
    except (KeyError, TypeError, ValueError) as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{where} does not describe a model: {said}. Fetch it again.") from error


def load_tokenizer(folder: Path, config: Mapping[str, Any]) -> TextTokenizer:
    """The tokenizer of a published folder, with its ends of text.

    Raises:
        DataError: It is missing or no tokenizer.
    """
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"{path} is not a readable tokenizer ({error}). Fetch it again.") from error
    place = folder / GENERATION
    generation = _json(place) if place.is_file() else {}
    ends = _ids(generation.get("eos_token_id")) + _ids(config.get("eos_token_id"))
    begin = config.get("bos_token_id") if _begins(tokenizer, config) else None
    return TextTokenizer(tokenizer, tuple(dict.fromkeys(ends)), begin)


def _begins(tokenizer: Any, config: Mapping[str, Any]) -> bool:
    """Whether the tokenizer itself puts its first token before a text."""
    ids = tokenizer.encode("a").ids
    return bool(ids) and ids[0] == config.get("bos_token_id")


def _rope(config: Mapping[str, Any], wrong: list[str]) -> dict[str, Any]:
    """Rotary settings; older files keep theta outside of the scaling, newer ones inside."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(scaling.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    found: dict[str, Any] = {"rope_theta": theta}
    if kind in ("linear", "llama3"):
        found |= {"rope_scaling": kind, "rope_factor": float(scaling["factor"])}
        if kind == "llama3":
            found |= {
                "rope_low": float(scaling["low_freq_factor"]),
                "rope_high": float(scaling["high_freq_factor"]),
                "rope_original": int(scaling["original_max_position_embeddings"]),
            }
    elif kind != "default":
        wrong.append(f"rope_type = {kind!r} (only default, linear, llama3)")
    if float(scaling.get("partial_rotary_factor") or 1.0) != 1.0:
        wrong.append("partial_rotary_factor (only whole heads)")
    return found


def _window(config: Mapping[str, Any], family: str, wrong: list[str]) -> int | None:
    """Sliding window of every layer, or None."""
    window = config.get("sliding_window")
    if family == "llama" or not window:
        return None
    if family == "mistral":
        return int(window)
    kinds = set(config.get("layer_types") or ())
    if not config.get("use_sliding_window") or kinds == {"full_attention"}:
        return None
    if kinds == {"sliding_attention"} or (not kinds and config.get("max_window_layers") == 0):
        return int(window)
    wrong.append("a sliding window in some of the layers (only in all or none)")
    return None


def _weights(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    names: Sequence[str] = (WEIGHTS,)
    if (folder / INDEX).is_file():
        listed = _json(folder / INDEX).get("weight_map") or {}
        names = sorted(set(listed.values()))
    found: dict[str, Tensor] = {}
    for name in names:
        try:
            found |= load_file(folder / name)
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"{folder / name} does not hold readable weights ({error}). Fetch it again."
            ) from error
    return found


def _name(source: str, tied: bool) -> str | None:
    """This model's name of a published tensor; None for one that it does not need."""
    if source in _TOP:
        return None if tied and source == "lm_head.weight" else _TOP[source]
    if source.endswith("rotary_emb.inv_freq"):
        return None
    parts = source.split(".")
    inner = ".".join(parts[3:-1])
    if parts[:2] == ["model", "layers"] and inner in _IN_LAYER:
        return f"blocks.{parts[2]}.{_IN_LAYER[inner]}.{parts[-1]}"
    return source  # load_into names what does not belong here


def _ids(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(v) for v in value] if isinstance(value, list) else [int(value)]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}). Name the folder of a published model, and fetch the "
            "file again if it is damaged."
        ) from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no object. Fetch it again.")
    return found
