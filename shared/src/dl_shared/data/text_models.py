"""What a pretrained text model must have, and what a run changes in it, whatever framework trains it.

Configurations and tokenizers are objects of transformers; they come as arguments, so that nothing here imports it.
"""

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dl_shared.data.backbones import check_all_loaded
from dl_shared.data.reviews import CLASSES
from dl_shared.errors import InputError

# The names that families of models give to the two kinds of dropout and to the number of layers.
HIDDEN_DROPOUTS = ("hidden_dropout_prob", "dropout", "classifier_dropout", "seq_classif_dropout")
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
LAYERS = ("num_hidden_layers", "n_layers")
# Families that number positions from that of the padding token plus one.
SHIFTED_POSITIONS = ("roberta", "xlm-roberta", "camembert", "roberta-prelayernorm")
LAYER = re.compile(r"(?:^|\.)layer\.(\d+)\.")
POOLER = re.compile(r"(?:^|\.)pooler\.")


def adapt(options: Any, *, layers: int, dropout: float, attention_dropout: float) -> None:
    """Set depth, dropout and classes in a model's own configuration.

    Args:
        options: the configuration, which is changed.
        layers: how many of the lowest layers to keep; 0 keeps all.
        dropout: of hidden values.
        attention_dropout: of attention weights.

    Raises:
        InputError: if the model is no encoder, or has fewer layers.
    """
    name = next((name for name in LAYERS if hasattr(options, name)), None)
    if name is None or not hasattr(options, "max_position_embeddings"):
        raise InputError(f"a {options.model_type} model is no encoder of the BERT family; give another --model")
    if layers > getattr(options, name):
        raise InputError(f"the model has {getattr(options, name)} layers; --layers {layers} asks for more")
    if layers:
        setattr(options, name, layers)
    for names, value in ((HIDDEN_DROPOUTS, dropout), (ATTENTION_DROPOUTS, attention_dropout)):
        for name in names:
            if hasattr(options, name):
                setattr(options, name, value)
    options.num_labels = len(CLASSES)
    options.id2label = dict(enumerate(CLASSES))
    options.label2id = {name: label for label, name in enumerate(CLASSES)}
    options.use_cache = False


def hidden_dropout(options: Any) -> float:
    """The dropout of hidden values, whatever the family calls it."""
    return next(getattr(options, name) for name in HIDDEN_DROPOUTS if hasattr(options, name))


def first_position(options: Any) -> int:
    """The number of a text's first position: 0, except in RoBERTa's family."""
    return options.pad_token_id + 1 if options.model_type in SHIFTED_POSITIONS else 0


def longest_input(options: Any) -> int:
    """The most tokens that a model of this configuration has positions for."""
    return options.max_position_embeddings - first_position(options)


def depth(name: str, layers: int) -> int:
    """Where a parameter stands in the model: 0 for the embeddings, 1 for the lowest layer, `layers + 1` for the head.

    Args:
        name: of the parameter.
        layers: how many the model has.
    """
    found = LAYER.search(name)
    if found is not None:
        return int(found.group(1)) + 1
    return 0 if "embeddings" in name else layers + 1


def check_weights(fresh: Iterable[str], name: str) -> None:
    """Refuse weights that leave a part of the encoder untrained; the pooler may be missing.

    Args:
        fresh: parameters of the encoder that the weights lack, or have in another size.
        name: of the model.

    Raises:
        InputError: if there is one.
    """
    check_all_loaded((key for key in fresh if not POOLER.search(key)), name)


def check_tokenizer(tokenizer: Any, rows: int, name: str) -> None:
    """Refuse a tokenizer that cannot be the model's.

    Args:
        tokenizer: of transformers.
        rows: of the model's table of embeddings.
        name: of the model.

    Raises:
        InputError: if it is slow, has more tokens than the model has rows, or has no token to pad with.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(f"the tokenizer of {name} has no tokenizer.json, which is needed to find tokens in a text")
    if len(tokenizer) > rows:
        raise InputError(
            f"the tokenizer of {name} has {len(tokenizer):,} tokens and the model {rows:,}: they are not of one model"
        )
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer of {name} has no token to pad with")


def save_description(folder: Path, options: Any, tokenizer: Any) -> None:
    """Write configuration and tokenizer, which together with the weights suffice to predict.

    The folder appears whole or not at all. One that is there already, in a run that is resumed, is left as it is.
    """
    if folder.is_dir():
        return
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    options.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    temporary.replace(folder)
