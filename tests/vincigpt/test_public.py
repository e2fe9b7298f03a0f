"""Public checkpoints: the same logits as the reference implementation, and clear refusals."""

import json
from pathlib import Path

import pytest
import torch

from voltx_core.errors import DataError
from voltx_core.vincigpt.public import load_public, shape_of
from voltx_core.vincigpt.tokenizer import TextTokenizer
from voltx_core.vincigpt.writing import complete

SIZES = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 96,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 10_000.0,
}
MODELS = {
    "llama": ("Llama", {}),
    "llama, one key a query": ("Llama", {"num_key_value_heads": 4}),
    "llama, tied": ("Llama", {"tie_word_embeddings": True}),
    "llama, biased": ("Llama", {"attention_bias": True}),
    "llama 3.1": ("Llama", {"rope_parameters": LLAMA3}),
    "llama, stretched": (
        "Llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}},
    ),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral, window": ("Mistral", {"sliding_window": 7, "head_dim": 32}),
    "qwen2": ("Qwen2", {"rms_norm_eps": 1e-6}),
    "qwen2, tied": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 32, "rms_norm_eps": 1e-6}),
    "qwen3, tied": ("Qwen3", {"head_dim": 32, "tie_word_embeddings": True}),
}


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip(
        "transformers",
        reason="the reference implementation is not installed: pip install -e .[dev]",
    )


@pytest.fixture(scope="module")
def tokenizer_text() -> str:
    return TextTokenizer.train(["def f(x):\n    return x + 1\n", "a story of bytes"], 300).text()


def published(transformers, folder: Path, family: str, changes: dict, tokenizer: str):
    """A small random model as the reference implementation writes it; returns that model."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**(SIZES | changes))
    config._attn_implementation = "eager"
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():  # norms and biases start as ones and zeros, which would hide mistakes
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer)
    return model


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_those_of_the_reference(transformers, tmp_path, tokenizer_text, name):
    family, changes = MODELS[name]
    reference = published(transformers, tmp_path, family, changes, tokenizer_text)
    model, _ = load_public(tmp_path)
    ids = torch.randint(3, 320, (2, 40), generator=torch.Generator().manual_seed(1))
    theirs = reference(ids).logits
    assert float(theirs.std()) > 0.05
    torch.testing.assert_close(model(ids), theirs, atol=2e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", ["llama 3.1", "mistral, window", "qwen2", "qwen3"])
def test_greedy_continuations_equal_those_of_the_reference(
    transformers, tmp_path, tokenizer_text, name
):
    family, changes = MODELS[name]
    reference = published(transformers, tmp_path, family, changes, tokenizer_text)
    model, tokenizer = load_public(tmp_path)
    assert tokenizer.ends == (2,)
    prompt = [5, 17, 240, 99, 31]
    (mine,) = complete(model, [prompt], limit=24, end=tokenizer.ends)
    theirs = reference.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=24, use_cache=False
    )[0, len(prompt) :].tolist()
    assert mine.ids == [token for token in theirs if token != 2]


@torch.no_grad()
def test_weights_in_several_files_are_put_together(transformers, tmp_path, tokenizer_text):
    reference = published(transformers, tmp_path, "Llama", {}, tokenizer_text)
    (tmp_path / "model.safetensors").unlink()
    reference.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    ids = torch.randint(3, 320, (1, 20), generator=torch.Generator().manual_seed(1))
    model, _ = load_public(tmp_path)
    torch.testing.assert_close(model(ids), reference(ids).logits, atol=2e-5, rtol=1e-4)


LLAMA = {**SIZES, "model_type": "llama", "hidden_act": "silu"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2'"),
        ({"model_type": None}, "model_type None"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_type = 'yarn'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"rope_scaling": {"type": "linear"}}, "it has no 'factor'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "it has no 'low_freq_factor'"),
        ({"rope_scaling": {"type": "linear", "factor": "high"}}, "high"),
        ({"num_attention_heads": 5}, "heads"),
        ({"hidden_size": "wide"}, "wide"),
        (
            {
                "model_type": "qwen2",
                "sliding_window": 8,
                "use_sliding_window": True,
                "max_window_layers": 2,
            },
            "sliding window in some",
        ),
    ],
)
def test_a_config_that_is_not_supported_is_refused_by_name(changes, said):
    with pytest.raises(DataError, match=r"config\.json") as refusal:
        shape_of(LLAMA | changes)
    assert said in str(refusal.value)


def test_all_that_is_not_supported_comes_in_one_message():
    with pytest.raises(DataError, match=r"hidden_act.*mlp_bias"):
        shape_of(LLAMA | {"hidden_act": "gelu", "mlp_bias": True})


def test_a_missing_key_is_named():
    with pytest.raises(DataError, match="hidden_size"):
        shape_of({key: value for key, value in LLAMA.items() if key != "hidden_size"})


@pytest.mark.parametrize("content", [None, "", "{", "[]", "\x00\x01"])
def test_a_damaged_config_is_one_clear_error(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=r"config\.json"):
        load_public(tmp_path)


def test_damaged_or_foreign_weights_are_named(transformers, tmp_path, tokenizer_text):
    published(transformers, tmp_path, "Llama", {}, tokenizer_text)
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-64])
    with pytest.raises(DataError, match=r"model\.safetensors"):
        load_public(tmp_path)
    path.write_bytes(whole)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(DataError, match=r"blocks\.2"):
        load_public(tmp_path)


def test_a_folder_without_a_tokenizer_says_so(transformers, tmp_path, tokenizer_text):
    published(transformers, tmp_path, "Llama", {}, tokenizer_text)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer\.json"):
        load_public(tmp_path)
