"""The network: a ResNet of transformers, found, read under a new head, described, and read again from a run.

He et al. 2015, "Deep Residual Learning" (arXiv:1512.03385), in the implementation of Hugging Face's transformers, with
the names of its weights: the hub's ResNets load here.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification
from transformers.utils.logging import disable_progress_bar

from dl_shared.data.picture_backbones import (
    PREPARATION,
    PictureBackbone,
    Preparation,
    describe_preparation,
    find_picture_backbone,
    read_preparation,
)
from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json
from dl_shared.tasks.cifar10_config import EMBEDDED, NONE
from xla_projects import checkpoints
from xla_projects.device import Device

DESCRIPTION = "network"  # folder of a run
logging.getLogger("transformers").setLevel(logging.ERROR)  # that the head is new, we know
disable_progress_bar()


class Network(ResNetForImageClassification):
    """Pictures to logits."""

    def forward(  # type: ignore[override]
        self, pixel_values: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.resnet(pixel_values).pooler_output)


@dataclass(frozen=True)
class Pretrained:
    """A network, and how pictures are prepared for it."""

    network: Network
    preparation: Preparation


def load_backbone(name: str, class_names: Sequence[str], size: int = 0) -> Pretrained:
    """A pretrained ResNet under a new head, which is drawn from torch's generator.

    Args:
        name: as `--backbone`; `none` for random weights in the shape of the embedded network.
        class_names: one for each output of the new head.
        size: of the pictures, where it is to be another than the backbone was trained with.

    Raises:
        InputError: if it is not there, incomplete, damaged, or of another architecture.
    """
    found = find_picture_backbone(EMBEDDED if name == NONE else name)
    if found.kind == "file":
        raise InputError(
            f"--backbone {name} is a file; give the folder of a ResNet in the hub's layout (config.json,"
            " model.safetensors), or the name of one on the hub"
        )
    preparation = read_preparation(found)
    if size:
        preparation = replace(preparation, size=size)
    labels = {
        "id2label": dict(enumerate(class_names)),
        "label2id": {name: label for label, name in enumerate(class_names)},
    }
    if name == NONE:
        shape = _read_shape(Path(found.source) / "config.json")
        return Pretrained(Network(ResNetConfig.from_dict({**shape.to_dict(), **labels})), preparation)
    network = _from_pretrained(found, labels)
    head: Any = network.classifier[-1]
    head.reset_parameters()  # one of as many other classes would have been taken over
    return Pretrained(network, preparation)


def _from_pretrained(found: PictureBackbone, labels: dict[str, Any]) -> Network:
    network: Any
    info: Any
    with _explained(found.name):
        network, info = Network.from_pretrained(  # type: ignore[misc]
            found.source,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=found.offline,
            dtype=torch.float32,
            **labels,
        )
    odd = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    if odd := sorted(key for key in odd if not key.startswith("classifier.")):
        raise InputError(
            f"the weights of {found.name} are not those of the ResNet that its config.json describes:"
            f" {', '.join(odd[:2])} and others are missing or of another size"
        )
    return network


def save_description(run: Path, pretrained: Pretrained) -> None:
    """Write all that beside the weights is needed to predict: config.json and preprocessor_config.json."""
    write_json(run / DESCRIPTION / "config.json", pretrained.network.config.to_dict())
    write_json(run / DESCRIPTION / PREPARATION, describe_preparation(pretrained.preparation))


def load_trained(run: Path, device: Device) -> Pretrained:
    """The network of a run's best epoch, on the device.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    network = device.to(Network(_read_shape(run / DESCRIPTION / "config.json")))
    load_best(run, device, network)
    described = PictureBackbone(str(run), str(run / DESCRIPTION), "folder", offline=True)
    return Pretrained(network, read_preparation(described))


def load_best(run: Path, device: Device, network: Network) -> None:
    """Give a network on the device the weights of a run's best epoch.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged or that of another network.
    """
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    checkpoints.load_weights(device, path, network, parts.get("model", {}))


def _read_shape(path: Path) -> ResNetConfig:
    values = read_json(path)
    with _explained(str(path)):
        return ResNetConfig.from_dict(values)


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """What libraries say of files that are no network they know, in one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(f"{where} is damaged or no ResNet ({' '.join(str(error).split())[:200]})") from None
