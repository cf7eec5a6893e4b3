"""The network: a ResNet of transformers, whose head may learn alone; found, read, described, and read again.

He et al. 2015, "Deep Residual Learning" (arXiv:1512.03385), in the implementation of Hugging Face's transformers, with
the names of its weights: what is saved here is a model of the hub's layout, and the hub's ResNets load here.
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

from accelerate_projects import checkpoints
from accelerate_projects.cifar10.torchvision import read_torchvision
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

DESCRIPTION = "network"  # folder of a run
logging.getLogger("transformers").setLevel(logging.ERROR)  # that the head is new, we know
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
        config = read_resnet_config(Path(found.source) / "config.json")
        return Pretrained(new_network(config, class_names), preparation)
    if found.kind == "file":
        config, weights = read_torchvision(Path(found.source))
        network = new_network(config, class_names)
        network.load_state_dict(weights | network.classifier.state_dict(prefix="classifier."))
        return Pretrained(network, preparation)
    network = _from_pretrained(found, **_labels(class_names))
    head: Any = network.classifier[-1]
    head.reset_parameters()  # one of as many other classes would have been taken over
    return Pretrained(network, preparation)


def load_exported(folder: Path) -> Pretrained:
    """A network as `export` wrote it, head and all.

    Raises:
        InputError: if it is incomplete or damaged.
    """
    found = find_picture_backbone(str(folder.absolute()))
    return Pretrained(_from_pretrained(found), read_preparation(found))


def _from_pretrained(found: PictureBackbone, **options: Any) -> Network:
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
            **options,
        )
    odd = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    if odd := sorted(key for key in odd if not key.startswith("classifier.")):
        raise InputError(
            f"the weights of {found.name} are not those of the ResNet that its config.json describes:"
            f" {', '.join(odd[:2])} and others are missing or of another size"
        )
    return _channels_last(network)


def new_network(config: ResNetConfig, class_names: Sequence[str]) -> Network:
    """Of this shape, with random weights from torch's generator."""
    return _channels_last(Network(ResNetConfig.from_dict({**config.to_dict(), **_labels(class_names)})))


def save_description(run: Path, pretrained: Pretrained) -> None:
    """Write all that beside the weights is needed to predict: config.json and preprocessor_config.json."""
    write_json(run / DESCRIPTION / "config.json", pretrained.network.config.to_dict())
    write_json(run / DESCRIPTION / PREPARATION, describe_preparation(pretrained.preparation))


def load_trained(run: Path) -> Pretrained:
    """The network of a run's best epoch, ready to predict.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    network = _channels_last(Network(read_resnet_config(run / DESCRIPTION / "config.json")))
    checkpoints.load_weights(path, network, parts.get("model", {}))
    described = PictureBackbone(str(run), str(run / DESCRIPTION), "folder", offline=True)
    return Pretrained(network.eval(), read_preparation(described))


def read_resnet_config(path: Path) -> ResNetConfig:
    """The shape of a network.

    Raises:
        InputError: if the file is missing or damaged.
    """
    values = read_json(path)
    with _explained(str(path)):
        return ResNetConfig.from_dict(values)


def export(folder: Path, pretrained: Pretrained) -> None:
    """Write a network in the hub's layout, its weights in half precision."""
    half = ResNetForImageClassification(pretrained.network.config).half()  # the name that config.json gives
    half.load_state_dict(pretrained.network.state_dict())
    half.save_pretrained(folder)
    write_json(folder / PREPARATION, describe_preparation(pretrained.preparation))


def _labels(class_names: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(class_names)),
        "label2id": {name: label for label, name in enumerate(class_names)},
    }


def _channels_last(network: Network) -> Network:
    """What convolutions of bfloat16 are fast in."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-arg]


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """What libraries say of files that are no network they know, in one line."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        raise InputError(f"{where} is damaged or no ResNet ({' '.join(str(error).split())[:200]})") from None
