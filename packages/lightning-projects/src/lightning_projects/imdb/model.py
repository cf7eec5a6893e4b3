"""The network and its tokenizer: from the hub, a folder, the embedded package, or untrained; and back from a run.

The network is transformers' own classifier for the model's family (BERT, DistilBERT, RoBERTa, ELECTRA and kin): an
encoder, and a linear layer or two on its first token. Weights are read as safetensors, and no code comes with them.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging

from dl_shared.data import text_models
from dl_shared.data.backbones import embedded_folder, explaining, find_backbone
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.tasks.imdb_config import EMBEDDED, SCRATCH
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.scratch import untrained

Tokenizer = PreTrainedTokenizerFast

logging.set_verbosity_error()  # it reports the classifier that it lacks, and texts that are cut later
logging.disable_progress_bar()


def load_pretrained(config: Config, texts: list[str]) -> tuple[nn.Module, Tokenizer]:
    """The network before its first step, its classifier new, and the tokenizer.

    Args:
        config: `model`, `layers` and the dropouts are read.
        texts: of the training part, from which `scratch` takes its vocabulary.

    Raises:
        InputError: if the model cannot be found, read or cut to so many layers, or its tokenizer is of another model.
    """
    torch.manual_seed(config.seed)  # what is new gets its first weights
    if config.model == SCRATCH or (config.model == EMBEDDED and config.data == "sample" and embedded_folder() is None):
        if config.model == EMBEDDED:
            say("the embedded model is not installed: a small one is trained from scratch instead")
        options, made = untrained(texts, config.max_length)
        _adapt(options, config)
        return AutoModelForSequenceClassification.from_config(options), made
    found = find_backbone(config.model)
    trusted: Any = {"trust_remote_code": False, "local_files_only": found.offline}
    with explaining(f"the model {found.name}"):
        options = AutoConfig.from_pretrained(found.source, **trusted)
        _adapt(options, config)
        tokenizer: Any = AutoTokenizer.from_pretrained(found.source, **trusted)
        network, info = AutoModelForSequenceClassification.from_pretrained(
            found.source,
            config=options,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype=torch.float32,
            **trusted,
        )
    _check_weights(network, info, found.name)
    _check_tokenizer(network, tokenizer, found.name)
    return network, tokenizer


def save_description(folder: Path, network: nn.Module, tokenizer: Tokenizer) -> None:
    """Write configuration and tokenizer: with the weights, all that prediction needs."""
    text_models.save_description(folder, network.config, tokenizer)


def load_description(folder: Path, **options: Any) -> tuple[nn.Module, Tokenizer]:
    """A network with weights still to be filled in, and its tokenizer, as `save_description` wrote them.

    Args:
        folder: of a run.
        options: for the network, such as `attn_implementation`.

    Raises:
        InputError: if they are missing or damaged.
    """
    if not folder.is_dir():
        raise InputError(f"{folder.parent} has no folder model/; was the run stopped before it began?")
    with explaining(str(folder)):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = AutoModelForSequenceClassification.from_config(config, **options)
    _check_tokenizer(network, tokenizer, str(folder))
    return network, tokenizer


def longest_input(network: nn.Module) -> int:
    """Tokens that the network has positions for."""
    return text_models.longest_input(network.config)


def count_layers(network: nn.Module) -> int:
    """Layers of the encoder."""
    return network.config.num_hidden_layers  # type: ignore[union-attr,return-value]


def _adapt(options: Any, config: Config) -> None:
    text_models.adapt(options, layers=config.layers, dropout=config.dropout, attention_dropout=config.attention_dropout)


def _check_weights(network: nn.Module, info: dict[str, Any], name: str) -> None:
    """Only what is above the encoder may be new."""
    encoder = f"{network.base_model_prefix}."
    fresh = {str(key) for key in info["missing_keys"]} | {str(key[0]) for key in info["mismatched_keys"]}
    text_models.check_weights((key for key in fresh if key.startswith(encoder)), name)


def _check_tokenizer(network: nn.Module, tokenizer: Any, name: str) -> None:
    rows = network.get_input_embeddings().num_embeddings  # type: ignore[operator]
    text_models.check_tokenizer(tokenizer, rows, name)
