"""Models from their folders to the device. Only safetensors are read, and no code that comes with a model is run."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from dl_architectures.nlp.engine import Engine
from dl_architectures.nlp.folders import LARGE, Contents, Kind
from dl_shared.data.backbones import explaining
from dl_shared.data.text_models import longest_input
from dl_shared.errors import InputError

UNBOUNDED = 1_000_000  # a tokenizer's limit above this stands for none
LONGEST = 8_192  # tokens, of models that take more: the memory of a longer text would exceed that of the weights


def precision(parameters: int, device: torch.device) -> torch.dtype:
    """The type of weights in memory: half as wide where the device computes in it well, or where they are many."""
    if device.type != "cpu":
        return torch.bfloat16
    return torch.bfloat16 if parameters > LARGE else torch.float32


def load(name: str, folder: Path, found: Contents, device: torch.device) -> Engine:
    """Read a model.

    Args:
        name: its id.
        folder: where it lies.
        found: what it is.
        device: where to compute.

    Raises:
        InputError: if it is damaged, or needs code of its own.
    """
    dtype = precision(found.parameters, device)
    with explaining(name):
        if found.kind == "pictures":
            return _load_painter(name, folder, dtype, device)
        return _load_network(name, folder, found.kind, dtype, device)


def _load_network(name: str, folder: Path, kind: Kind, dtype: torch.dtype, device: torch.device) -> Engine:
    import transformers

    _quiet(transformers)
    from dl_architectures.nlp.classifying import Classifier
    from dl_architectures.nlp.language import LanguageModel
    from dl_architectures.nlp.questioning import QuestionReader
    from dl_architectures.nlp.summarising import Summariser

    heads = {
        "causal": (transformers.AutoModelForCausalLM, LanguageModel),
        "classifier": (transformers.AutoModelForSequenceClassification, Classifier),
        "question": (transformers.AutoModelForQuestionAnswering, QuestionReader),
        "summariser": (transformers.AutoModelForSeq2SeqLM, Summariser),
    }
    head, engine = heads[kind]
    here = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **here)
    network, told = head.from_pretrained(folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **here)
    if told["missing_keys"]:
        raise InputError(f"the weights of {name} lack {min(told['missing_keys'])}, and would answer at random")
    if kind != "causal" and not tokenizer.is_fast:
        raise InputError(f"the tokenizer of {name} has no tokenizer.json, which is needed to find tokens in a text")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    network = network.to(device).eval().requires_grad_(False)
    return engine(name, tokenizer, network, max_length(tokenizer, network.config.get_text_config()))


def max_length(tokenizer: Any, config: Any) -> int:
    """Tokens that a network reads at most, by its configuration and its tokenizer."""
    known = [LONGEST]
    if getattr(config, "max_position_embeddings", None):
        known.append(longest_input(config))
    if tokenizer.model_max_length < UNBOUNDED:
        known.append(tokenizer.model_max_length)
    return min(known)


def _quiet(*libraries: Any) -> None:
    """Sessions share one terminal, and the tool tells by itself what it loads."""
    for library in libraries:
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()


def _load_painter(name: str, folder: Path, dtype: torch.dtype, device: torch.device) -> Engine:
    import diffusers
    import transformers

    _quiet(diffusers, transformers)  # a pipeline has parts of both
    from dl_architectures.nlp.painting import Painter

    pipeline = diffusers.DiffusionPipeline.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        variant="fp16" if any(folder.rglob("*.fp16.safetensors")) else None,
        local_files_only=True,
    ).to(device)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    return Painter(name, pipeline)
