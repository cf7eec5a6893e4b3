"""Where a pretrained ResNet lies: embedded in this package, in a folder, in a file, or on the Hugging Face hub.

Nothing of a network is read here but its configuration and how pictures are prepared for it. A folder is in the hub's
layout: config.json, model.safetensors, and preprocessor_config.json with the size of the pictures, their mean and their
standard deviation. A file is one of torchvision's, such as resnet18-f37072fd.pth.
"""

import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from dl_shared.data.backbones import check_weights, hub_is_out_of_reach, is_folder, read_config_file
from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.paths import user_path

EMBEDDED = "embedded"
MODEL_TYPE = "resnet"
PREPARATION = "preprocessor_config.json"
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
    """A pretrained ResNet, found.

    Attributes:
        name: as the user gave it.
        source: a folder or a name on the hub, which `from_pretrained` takes; or a file.
        kind: which of these.
        offline: whether only files on this machine are to be looked at.
    """

    name: str
    source: str
    kind: Literal["folder", "hub", "file"]
    offline: bool


def find_picture_backbone(name: str) -> PictureBackbone:
    """Find a ResNet; what the name is decides where.

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


def read_preparation(backbone: PictureBackbone) -> Preparation:
    """How pictures are prepared for a backbone; as on ImageNet where it does not say.

    Raises:
        InputError: if the file that says so is damaged.
    """
    path = Path(backbone.source) / PREPARATION if backbone.kind == "folder" else None
    if backbone.kind == "hub":
        path = _from_the_hub(backbone)
    if path is None or not path.is_file():
        return Preparation()
    try:
        return parse_preparation(read_json(path))
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} does not say how to prepare pictures ({type(error).__name__}: {error})") from None


def parse_preparation(values: dict[str, Any]) -> Preparation:
    """From preprocessor_config.json: `size` is a number, or has `shortest_edge`, or `height` and `width`.

    Raises:
        KeyError, TypeError, ValueError: if a value is absent or no number.
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
    """As preprocessor_config.json says it."""
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
    """The file on the hub, or from its cache; None where the network has none.

    Raises:
        InputError: if that cannot be told.
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
