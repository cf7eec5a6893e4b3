"""The network and its tokenizer: from the hub, a folder, the embedded package, or untrained; and back from a run.

The network is transformers' own classifier for the model's family (BERT, DistilBERT, RoBERTa, ELECTRA and kin): an
encoder, and a linear layer or two on its first token. Weights are read as safetensors, and no code comes with them.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging

from dl_shared.data.backbones import embedded_folder, find_backbone
from dl_shared.data.reviews import CLASSES
from dl_shared.errors import InputError
from dl_shared.progress import say
from lightning_projects.imdb.config import EMBEDDED, SCRATCH, Config
from lightning_projects.imdb.scratch import untrained

# What the families call the two kinds of dropout.
HIDDEN_DROPOUTS = ("hidden_dropout_prob", "dropout", "classifier_dropout", "seq_classif_dropout")
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
LAYERS = ("num_hidden_layers", "n_layers")
# Their positions are counted from the padding token's number plus one.
SHIFTED_POSITIONS = ("roberta", "xlm-roberta", "camembert", "roberta-prelayernorm")

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
    with _explained(f"the model {found.name}"):
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
    """Write configuration and tokenizer, all that beside the weights is needed to predict; the folder appears whole.

    Where it is there already, in a run that goes on, it stays.
    """
    if folder.is_dir():
        return
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    network.config.save_pretrained(temporary)  # type: ignore[operator,union-attr]
    tokenizer.save_pretrained(temporary)
    temporary.replace(folder)


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
    with _explained(str(folder)):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = AutoModelForSequenceClassification.from_config(config, **options)
    _check_tokenizer(network, tokenizer, str(folder))
    return network, tokenizer


def longest_input(network: nn.Module) -> int:
    """Tokens that the network has positions for."""
    config: Any = network.config
    shift = config.pad_token_id + 1 if config.model_type in SHIFTED_POSITIONS else 0
    return config.max_position_embeddings - shift


def count_layers(network: nn.Module) -> int:
    """Layers of the encoder."""
    return network.config.num_hidden_layers  # type: ignore[union-attr,return-value]


def _adapt(options: Any, config: Config) -> None:
    """What a run changes in the model's own configuration.

    Raises:
        InputError: if there are not so many layers.
    """
    layers = next((name for name in LAYERS if hasattr(options, name)), None)
    if layers is None or not hasattr(options, "max_position_embeddings"):
        raise InputError(f"a {options.model_type} model is no encoder of the BERT family; give another --model")
    if config.layers > getattr(options, layers):
        raise InputError(f"the model has {getattr(options, layers)} layers; --layers {config.layers} asks for more")
    if config.layers:
        setattr(options, layers, config.layers)
    for names, value in ((HIDDEN_DROPOUTS, config.dropout), (ATTENTION_DROPOUTS, config.attention_dropout)):
        for name in names:
            if hasattr(options, name):
                setattr(options, name, value)
    options.num_labels = len(CLASSES)
    options.id2label = dict(enumerate(CLASSES))
    options.label2id = {name: label for label, name in enumerate(CLASSES)}
    options.use_cache = False


def _check_weights(network: nn.Module, info: dict[str, Any], name: str) -> None:
    """Only what is above the encoder may be new."""
    encoder = f"{network.base_model_prefix}."
    fresh = {str(key) for key in info["missing_keys"]} | {str(key[0]) for key in info["mismatched_keys"]}
    lacking = sorted(key for key in fresh if key.startswith(encoder) and ".pooler." not in key)
    if lacking:
        raise InputError(
            f"the weights of {name} do not fit its config.json: {lacking[0]} and {len(lacking) - 1} others"
        )


def _check_tokenizer(network: nn.Module, tokenizer: Any, name: str) -> None:
    rows = network.get_input_embeddings().num_embeddings  # type: ignore[operator]
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(f"the tokenizer of {name} has no tokenizer.json, which is needed to find tokens in a text")
    if len(tokenizer) > rows:
        raise InputError(
            f"the tokenizer of {name} has {len(tokenizer):,} tokens and the model {rows:,}: they are not of one model"
        )
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer of {name} has no token to pad with")


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """What transformers says of a model that it cannot read, in one line.

    Raises:
        InputError: naming the model.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{what} cannot be loaded ({reason})") from error
