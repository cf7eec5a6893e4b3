"""The language model: Llama's layout (Touvron et al. 2023, arXiv:2302.13971), as small as fits into the package."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from dl_architectures.nlp.training.language_model.config import Config
from dl_shared.data.backbones import explaining


def new_model(config: Config, tokenizer: Any) -> Any:
    """The network before its first update; input and output share their embeddings."""
    torch.manual_seed(config.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def window_loss(model: Any, windows: Int[Tensor, "batch window"]) -> Float[Tensor, ""]:
    """Mean cross entropy of every token of the windows given those before it, in nats; the first is given."""
    logits = model(input_ids=windows[:, :-1], use_cache=False).logits
    return F.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten())


def export(folder: Path, model: LlamaForCausalLM, tokenizer: Any) -> None:
    """Write weights in half precision, configuration and tokenizer, as transformers reads them."""
    half: Any = LlamaForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half.to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_exported(folder: Path) -> tuple[Any, Any]:
    """What was exported: the model, in single precision, and its tokenizer.

    Raises:
        InputError: if it cannot be read.
    """
    with explaining(f"the language model in {folder}"):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)
