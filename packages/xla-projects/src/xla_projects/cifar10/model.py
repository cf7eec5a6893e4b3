"""The network: a ResNet; and where it is read from and written to.

He et al. 2015, "Deep Residual Learning" (arXiv:1512.03385), in the implementation of Hugging Face's transformers, with
its names of weights: the hub's ResNets load here.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification
from transformers.utils.logging import disable_progress_bar

from dl_shared.data import picture_backbones
from dl_shared.data.picture_backbones import (
    Preparation,
    class_labels,
    find_picture_backbone,
    load_resnet,
    read_description,
    read_preparation,
)
from dl_shared.errors import InputError
from dl_shared.tasks.cifar10_config import EMBEDDED, NONE
from xla_projects import checkpoints
from xla_projects.device import Device

DESCRIPTION = "network"  # folder of a run
logging.getLogger("transformers").setLevel(logging.ERROR)  # it would warn that the head is new
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
    labels = class_labels(class_names)
    if name == NONE:
        config, _ = read_description(Path(found.source), ResNetConfig)
        network = Network(ResNetConfig.from_dict({**config.to_dict(), **labels}))
    else:
        network = load_resnet(Network, found, **labels)
        head: Any = network.classifier[-1]
        head.reset_parameters()  # one of as many other classes would have been loaded
    return Pretrained(network, preparation)


def save_description(run: Path, pretrained: Pretrained) -> None:
    """Write all that is needed to predict, but for the weights."""
    config = pretrained.network.config.to_dict()
    picture_backbones.save_description(run / DESCRIPTION, config, pretrained.preparation)


def load_trained(run: Path, device: Device) -> Pretrained:
    """The network of a run's best epoch, on the device.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    config, preparation = read_description(run / DESCRIPTION, ResNetConfig)
    network = device.to(Network(config))
    load_best(run, device, network)
    return Pretrained(network, preparation)


def load_best(run: Path, device: Device, network: Network) -> None:
    """Give a network on the device the weights of a run's best epoch.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged or that of another network.
    """
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    checkpoints.load_weights(device, path, network, parts.get("model", {}))
