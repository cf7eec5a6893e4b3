"""The network: a ResNet whose head may learn alone; and where it is read from and written to.

He et al. 2015, "Deep Residual Learning" (arXiv:1512.03385), in the implementation of Hugging Face's transformers, with
its names of weights: the hub's ResNets load here, and what is exported here loads wherever they do.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification
from transformers.utils.logging import disable_progress_bar

from accelerate_projects import checkpoints
from accelerate_projects.cifar10.torchvision import read_torchvision
from dl_shared.data import picture_backbones
from dl_shared.data.picture_backbones import (
    PREPARATION,
    Preparation,
    class_labels,
    describe_preparation,
    find_picture_backbone,
    load_resnet,
    read_description,
    read_preparation,
)
from dl_shared.files import write_json
from dl_shared.tasks.cifar10_config import EMBEDDED, NONE

DESCRIPTION = "network"  # folder of a run
logging.getLogger("transformers").setLevel(logging.ERROR)  # it would warn that the head is new
disable_progress_bar()


class Network(ResNetForImageClassification):
    """Pictures to logits; with `frozen` set, everything below the head stays as it is, batch statistics included."""

    frozen = False

    def forward(  # type: ignore[override]
        self, pixel_values: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = self.resnet(pixel_values).pooler_output
        return self.classifier(features)

    def freeze(self, frozen: bool) -> None:
        """Let the head learn alone, or all layers."""
        self.frozen = frozen
        self.train(self.training)

    def train(self, mode: bool = True) -> "Network":
        super().train(mode)
        if self.frozen:
            self.resnet.eval()
        return self


@dataclass(frozen=True)
class Pretrained:
    """A network, and how pictures are prepared for it."""

    network: Network
    preparation: Preparation

    def on(self, device: torch.device) -> Network:
        """The network, moved there."""
        return self.network.to(device)  # type: ignore[arg-type]


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
    preparation = read_preparation(found)
    if size:
        preparation = replace(preparation, size=size)
    if name == NONE:
        config, _ = read_description(Path(found.source), ResNetConfig)
        network = new_network(config, class_names)
    elif found.kind == "file":
        config, weights = read_torchvision(Path(found.source))
        network = new_network(config, class_names)
        network.load_state_dict(weights | network.classifier.state_dict(prefix="classifier."))
    else:
        network = _channels_last(load_resnet(Network, found, **class_labels(class_names)))
        head: Any = network.classifier[-1]
        head.reset_parameters()  # one of as many other classes would have been loaded
    return Pretrained(network, preparation)


def new_network(config: ResNetConfig, class_names: Sequence[str]) -> Network:
    """A network of this shape, with random weights from torch's generator."""
    return _channels_last(Network(ResNetConfig.from_dict({**config.to_dict(), **class_labels(class_names)})))


def load_exported(folder: Path) -> Pretrained:
    """A network as `export` wrote it, head and all.

    Raises:
        InputError: if it is incomplete or damaged.
    """
    found = find_picture_backbone(str(folder.absolute()))
    return Pretrained(_channels_last(load_resnet(Network, found)), read_preparation(found))


def save_description(run: Path, pretrained: Pretrained) -> None:
    """Write all that is needed to predict, but for the weights."""
    config = pretrained.network.config.to_dict()
    picture_backbones.save_description(run / DESCRIPTION, config, pretrained.preparation)


def load_trained(run: Path) -> Pretrained:
    """The network of a run's best epoch, ready to predict.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    config, preparation = read_description(run / DESCRIPTION, ResNetConfig)
    network = _channels_last(Network(config))
    checkpoints.load_weights(path, network, parts.get("model", {}))
    return Pretrained(network.eval(), preparation)


def export(folder: Path, pretrained: Pretrained) -> None:
    """Write a network in the hub's layout, its weights in half precision."""
    half = ResNetForImageClassification(pretrained.network.config).half()  # config.json gets the name of the class
    half.load_state_dict(pretrained.network.state_dict())
    half.save_pretrained(folder)
    write_json(folder / PREPARATION, describe_preparation(pretrained.preparation))


def _channels_last(network: Network) -> Network:
    """In the layout in which convolutions of bfloat16 are fast."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
