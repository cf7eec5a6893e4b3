"""What a pretrained text model must have, and what a run changes in it: the same questions whatever trains it.

Models, configurations and tokenizers are those of transformers, which is not imported here: they are given.
"""

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from dl_shared.data.reviews import CLASSES
from dl_shared.errors import InputError

# What the families call the two kinds of dropout, and the number of layers.
HIDDEN_DROPOUTS = ("hidden_dropout_prob", "dropout", "classifier_dropout", "seq_classif_dropout")
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
LAYERS = ("num_hidden_layers", "n_layers")
# Their positions are counted from the padding token's number plus one.
SHIFTED_POSITIONS = ("roberta", "xlm-roberta", "camembert", "roberta-prelayernorm")
LAYER = re.compile(r"(?:^|\.)layer\.(\d+)\.")
POOLER = re.compile(r"(?:^|\.)pooler\.")


def adapt(options: Any, *, layers: int, dropout: float, attention_dropout: float) -> None:
    """What a run changes in a model's own configuration: its depth, its dropout and its classes.

    Args:
        options: the configuration.
        layers: keep so many, the lowest; 0 keeps all.
        dropout: of hidden values.
        attention_dropout: of attention weights.

    Raises:
        InputError: if it is no encoder, or there are not so many layers.
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
    """The dropout of hidden values, by whichever name the family has for it."""
    return next(getattr(options, name) for name in HIDDEN_DROPOUTS if hasattr(options, name))


def first_position(options: Any) -> int:
    """The number of a text's first position: 0, but in RoBERTa's family."""
    return options.pad_token_id + 1 if options.model_type in SHIFTED_POSITIONS else 0


def longest_input(options: Any) -> int:
    """Tokens that a model of this configuration has positions for."""
    return options.max_position_embeddings - first_position(options)


def depth(name: str, layers: int) -> int:
    """Where a parameter stands: 0 for embeddings, then the layers from 1, then all that is above them.

    Args:
        name: of the parameter.
        layers: of the model.
    """
    found = LAYER.search(name)
    if found is not None:
        return int(found.group(1)) + 1
    return 0 if "embeddings" in name else layers + 1


def check_weights(fresh: Iterable[str], name: str) -> None:
    """Refuse weights that leave a part of the encoder untrained.

    Args:
        fresh: names of parameters of the encoder that the weights lacked, or had in another size.
        name: of the model.

    Raises:
        InputError: if there is one, beside the pooler.
    """
    lacking = sorted(key for key in fresh if not POOLER.search(key))
    if lacking:
        others = f" and {len(lacking) - 1} others" if len(lacking) > 1 else ""
        raise InputError(f"the weights of {name} do not fit its config.json: {lacking[0]}{others}")


def check_tokenizer(tokenizer: Any, rows: int, name: str) -> None:
    """Refuse a tokenizer that cannot be the model's.

    Args:
        tokenizer: as read.
        rows: tokens that the model has embeddings for.
        name: of the model.

    Raises:
        InputError: saying what does not fit.
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
    """Write configuration and tokenizer, all that beside the weights is needed to predict; the folder appears whole.

    Where it is there already, in a run that goes on, it stays.
    """
    if folder.is_dir():
        return
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    options.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    temporary.replace(folder)


@contextlib.contextmanager
def explaining(what: str) -> Iterator[None]:
    """What libraries say of a model that they cannot read, in one line.

    Args:
        what: is read.

    Raises:
        InputError: naming the model.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{what} cannot be loaded ({reason})") from error
