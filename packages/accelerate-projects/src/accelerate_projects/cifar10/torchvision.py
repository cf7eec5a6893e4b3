"""torchvision's ResNets, such as resnet18-f37072fd.pth, under the names that transformers has for the same weights.

    conv1, bn1                  resnet.embedder.embedder.convolution, .normalization
    layer2.0.conv1, bn1         resnet.encoder.stages.1.layers.0.layer.0.convolution, .normalization
    layer2.0.downsample.0, .1   resnet.encoder.stages.1.layers.0.shortcut.convolution, .normalization
    fc                          (the head of other classes is left out)

Its bottlenecks have their stride in the convolution of 3 x 3, as transformers' have by default.
"""

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor
from transformers import ResNetConfig, ResNetModel

from dl_shared.errors import InputError

_STEM = {"conv1": "convolution", "bn1": "normalization"}
_KINDS = {"conv": "convolution", "bn": "normalization"}
_INNER = re.compile(r"layer(\d+)\.(\d+)\.(conv|bn)(\d)\.(\w+)")
_SHORTCUT = re.compile(r"layer(\d+)\.(\d+)\.downsample\.([01])\.(\w+)")


def read_torchvision(path: Path) -> tuple[ResNetConfig, dict[str, Tensor]]:
    """The shape of the network in a file, and its weights without the head; no code in the file is run.

    Raises:
        InputError: if the file is damaged, would run code, or holds another architecture.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, pickle.UnpicklingError):
        raise InputError(f"{path} is damaged, or no file of weights alone") from None
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"{path} holds no weights by name; save `model.state_dict()`")
    weights = {new: value.float() for name, value in loaded.items() if (new := renamed(name)) is not None}
    # Files of old versions lack num_batches_tracked, which nothing here reads.
    counted = {f"{name.removesuffix('running_mean')}num_batches_tracked" for name in weights if "running_mean" in name}
    weights |= {name: torch.tensor(0) for name in counted}
    try:
        config = _shape_of(weights)
        expected = _expected(config)
    except (KeyError, ValueError, IndexError):
        raise InputError(f"{path} holds no ResNet of torchvision") from None
    if expected != {name: value.shape for name, value in weights.items()}:
        odd = sorted(expected.items() ^ {name: value.shape for name, value in weights.items()}.items())
        raise InputError(f"{path} holds no plain ResNet of torchvision, or not all of it: see {odd[0][0]}")
    return config, weights


def renamed(name: str) -> str | None:
    """The name that transformers gives to a weight of torchvision's, or None for one of the head.

    Raises:
        InputError: if torchvision's ResNets have no such weight.
    """
    module, _, kind = name.rpartition(".")
    if module == "fc":
        return None
    if module in _STEM:
        return f"resnet.embedder.embedder.{_STEM[module]}.{kind}"
    if match := _INNER.fullmatch(name):
        stage, block, part, number, kind = match.groups()
        return f"{_block(stage, block)}.layer.{int(number) - 1}.{_KINDS[part]}.{kind}"
    if match := _SHORTCUT.fullmatch(name):
        stage, block, part, kind = match.groups()
        return f"{_block(stage, block)}.shortcut.{('convolution', 'normalization')[int(part)]}.{kind}"
    raise InputError(f"the weight {name} is of no ResNet of torchvision")


def _block(stage: str, block: str) -> str:
    return f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}"


def _shape_of(weights: dict[str, Tensor]) -> ResNetConfig:
    """Kind of block, channels and depths, as the weights show them."""
    places = [name.split(".")[3:6:2] for name in weights if name.startswith("resnet.encoder")]
    stages = 1 + max(int(stage) for stage, _ in places)
    depths = [1 + max(int(block) for stage, block in places if int(stage) == number) for number in range(stages)]
    bottleneck = _filters(0, 2) in weights
    return ResNetConfig(
        embedding_size=len(weights["resnet.embedder.embedder.convolution.weight"]),
        hidden_sizes=[len(weights[_filters(number, 2 if bottleneck else 1)]) for number in range(stages)],
        depths=depths,
        layer_type="bottleneck" if bottleneck else "basic",
    )


def _filters(stage: int, number: int) -> str:
    return f"resnet.encoder.stages.{stage}.layers.0.layer.{number}.convolution.weight"


def _expected(config: ResNetConfig) -> dict[str, torch.Size]:
    """Names and sizes of all weights below the head."""
    with torch.device("meta"):
        return {f"resnet.{name}": value.shape for name, value in ResNetModel(config).state_dict().items()}
