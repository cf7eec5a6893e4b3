"""Where a pretrained ResNet lies: embedded in this package, in a folder, in a file, or on the Hugging Face hub.

A folder is in the hub's layout: config.json, model.safetensors, and preprocessor_config.json with the size of the
pictures, their mean and their standard deviation. A file is one of torchvision's, such as resnet18-f37072fd.pth.
Classes of transformers come as arguments, so that nothing here imports a framework.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from dl_shared.data.backbones import (
    check_all_loaded,
    check_weights,
    explaining,
    hub_is_out_of_reach,
    is_folder,
    read_config_file,
)
from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json
from dl_shared.paths import user_path

EMBEDDED = "embedded"
MODEL_TYPE = "resnet"
CONFIG, PREPARATION = "config.json", "preprocessor_config.json"
HEAD = "classifier"  # of transformers' ResNets
# Of ImageNet, on which networks are pretrained unless they say otherwise.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET_SIZE = 224
LARGEST_SIZE = 4096


@dataclass(frozen=True)
class Preparation:
    """What a network expects of a picture."""

    size: int = IMAGENET_SIZE
    """Height and width in pixels."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Of red, green and blue between 0 and 1, to be subtracted."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Standard deviation, to divide by."""


@dataclass(frozen=True)
class PictureBackbone:
    """Where a pretrained ResNet lies.

    Attributes:
        name: as the user gave it.
        source: a folder or a name on the hub, as `from_pretrained` takes it; or a file.
        kind: which of these `source` is.
        offline: whether to read files of this machine only.
    """

    name: str
    source: str
    kind: Literal["folder", "hub", "file"]
    offline: bool


def find_picture_backbone(name: str) -> PictureBackbone:
    """Find a ResNet by its name.

    Args:
        name: `embedded`, a folder, a file (.pth or .pt), or a name on the hub such as `microsoft/resnet-18`.

    Raises:
        InputError: if it is not there, files of it are missing, or it is of another architecture.
    """
    if name == EMBEDDED:
        return PictureBackbone(name, str(_checked(embedded_folder())), "folder", offline=True)
    path = user_path(name).absolute()
    if path.suffix in (".pth", ".pt"):
        if not path.is_file():
            raise InputError(f"the backbone {path} does not exist")
        return PictureBackbone(name, str(path), "file", offline=True)
    if is_folder(name):
        return PictureBackbone(name, str(_checked(path)), "folder", offline=True)
    return PictureBackbone(name, name, "hub", offline=hub_is_out_of_reach(name, f"--backbone {EMBEDDED}"))


def embedded_folder() -> Path:
    """The folder of the network that comes with this package; its README.md says what it is."""
    return Path(str(resources.files("dl_shared") / "weights" / "resnet"))


def load_resnet(network_class: Any, backbone: PictureBackbone, **options: Any) -> Any:
    """The network of a folder or of the hub, in float32.

    A head of another size than the weights have is left as the class initialises it.

    Args:
        network_class: with transformers' `from_pretrained`.
        backbone: found.
        options: of the network's configuration, such as `class_labels`.

    Raises:
        InputError: if a file is damaged, or weights below the head are missing or of another size.
    """
    with explaining(backbone.name):
        network, info = network_class.from_pretrained(
            backbone.source,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=backbone.offline,
            dtype="float32",
            **options,
        )
    fresh = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    check_all_loaded((key for key in fresh if not key.startswith(f"{HEAD}.")), backbone.name)
    return network


def class_labels(names: Sequence[str]) -> dict[str, Any]:
    """Names of classes, as transformers' configurations hold them."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: label for label, name in enumerate(names)}}


def levels_below_head(name: str, stages: int) -> int:
    """How far below the head a parameter of a ResNet stands.

    0 is the head, 1 the last stage, `stages` the first stage, and `stages + 1` the first convolution.

    Args:
        name: of the parameter in transformers, such as `resnet.encoder.stages.0.layers.1.layer.0.convolution.weight`.
        stages: of the network.
    """
    part, *inner = name.split(".")
    if part == HEAD:
        return 0
    return stages + 1 if inner[0] == "embedder" else stages - int(inner[2])


def save_description(folder: Path, config: Mapping[str, Any], preparation: Preparation) -> None:
    """Write all of a network that is needed to predict, but for its weights, as files of the hub's layout.

    Args:
        folder: made if it is not there.
        config: of the network, as `to_dict` of transformers gives it.
        preparation: of its pictures.
    """
    write_json(folder / CONFIG, config)
    write_json(folder / PREPARATION, describe_preparation(preparation))


def read_description(folder: Path, config_class: Any) -> tuple[Any, Preparation]:
    """The configuration of a network in a folder, and how pictures are prepared for it.

    Args:
        folder: as `save_description` writes it.
        config_class: with transformers' `from_dict`.

    Raises:
        InputError: if a file is missing or damaged.
    """
    values = read_json(folder / CONFIG)
    with explaining(str(folder / CONFIG)):
        config = config_class.from_dict(values)
    return config, _read_preparation(folder / PREPARATION)


def read_preparation(backbone: PictureBackbone) -> Preparation:
    """How pictures are prepared for a backbone; as on ImageNet where it does not say.

    Raises:
        InputError: if the file that says so is damaged, or the hub does not give it.
    """
    if backbone.kind == "folder":
        return _read_preparation(Path(backbone.source) / PREPARATION)
    path = _from_the_hub(backbone) if backbone.kind == "hub" else None
    return Preparation() if path is None else _read_preparation(path)


def _read_preparation(path: Path) -> Preparation:
    if not path.is_file():
        return Preparation()
    try:
        return parse_preparation(read_json(path))
    except InputError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} does not say how to prepare pictures ({type(error).__name__}: {error})") from None


def parse_preparation(values: dict[str, Any]) -> Preparation:
    """The preparation that preprocessor_config.json describes.

    Args:
        values: of the file; `size` is a number, or has `shortest_edge`, or has `height` and `width`.

    Raises:
        AttributeError, KeyError, OverflowError, TypeError, ValueError: if a value is missing or cannot be used.
    """
    size = values.get("size", IMAGENET_SIZE)
    if isinstance(size, dict):
        size = size["shortest_edge"] if "shortest_edge" in size else size["height"]
    mean, std = (
        tuple(float(value) for value in values.get(key, default))
        for key, default in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD))
    )
    numbers = len(mean) == len(std) == 3 and all(map(math.isfinite, (*mean, *std))) and min(std) > 0
    if not 1 <= int(size) <= LARGEST_SIZE or not numbers:
        raise ValueError(f"size {size}, mean {mean}, standard deviation {std}")
    return Preparation(int(size), mean, std)  # type: ignore[arg-type]


def describe_preparation(preparation: Preparation) -> dict[str, Any]:
    """What preprocessor_config.json says of a preparation."""
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(preparation.mean),
        "image_std": list(preparation.std),
        "resample": 2,  # Pillow's number of bilinear interpolation
        "rescale_factor": 1 / 255,
        "size": {"height": preparation.size, "width": preparation.size},
    }


def _checked(folder: Path) -> Path:
    check_weights(folder)
    kind = read_config_file(folder)["model_type"]
    if kind != MODEL_TYPE:
        raise InputError(
            f"{folder} holds a network of type {kind}; a backbone must be a ResNet (model_type {MODEL_TYPE})"
        )
    return folder


def _from_the_hub(backbone: PictureBackbone) -> Path | None:
    """preprocessor_config.json of a network on the hub, downloaded or from the cache; None if the network has none.

    Raises:
        InputError: if the hub does not answer, and the file is not in the cache.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(backbone.source, PREPARATION, local_files_only=backbone.offline))
    except LocalEntryNotFoundError:
        raise InputError(
            f"the hub cannot be reached, and {PREPARATION} of {backbone.name} is not in its cache"
        ) from None
    except EntryNotFoundError:
        return None
    except HfHubHTTPError as error:
        raise InputError(f"the hub does not give {backbone.name}: {' '.join(str(error).split())[:160]}") from None
