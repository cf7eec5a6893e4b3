"""A tiny pretrained network for the tests of accelerate-cifar10, as a folder in the hub's layout."""

import torch
from transformers import ResNetConfig

from accelerate_projects.cifar10.model import Pretrained, export, new_network
from dl_shared.data.picture_backbones import Preparation

TINY = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


def write_tiny_backbone(folder):
    """Random weights under a head of 7 classes; returns the folder."""
    torch.manual_seed(0)
    network = new_network(ResNetConfig(**TINY), [f"class {label}" for label in range(7)])
    network.train()(torch.randn(8, 3, 32, 32))  # statistics that are not those of an untouched network
    export(folder, Pretrained(network, Preparation(32, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))))
    return folder
