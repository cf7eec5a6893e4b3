"""A tiny pretrained network and small options for the tests of xla-cifar10, which so share what is compiled."""

import torch
from transformers import ResNetConfig

from dl_shared.data.picture_backbones import PREPARATION, Preparation, describe_preparation
from dl_shared.files import write_json
from xla_projects.cifar10.model import Network

TINY = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
NAMES = tuple("abcdefghij")


def write_tiny_backbone(folder):
    """Random weights under a head of 7 classes, in the hub's layout; returns the folder."""
    torch.manual_seed(0)
    network = Network(ResNetConfig(**TINY, num_labels=7))
    network.train()(torch.randn(8, 3, 32, 32))  # statistics that are not those of an untouched network
    network.save_pretrained(folder)
    write_json(folder / PREPARATION, describe_preparation(Preparation(32, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))))
    return folder


def small_options(few_images, tiny):
    """Of a training that takes seconds, and most of them to compile."""
    return {
        "data": str(few_images),
        "backbone": str(tiny),
        "epochs": 2,
        "batch_size": 20,
        "augment": ("crop", "flip", "erase"),
        "checkpoint_seconds": 0.0,
    }
