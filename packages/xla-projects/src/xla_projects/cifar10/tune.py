"""A search over the options of fine-tuning, on validation accuracy, with two compilations in all.

Only learning rates and views are searched, which are inputs of the compiled step: all trials run the same two programs.
"""

from typing import Any

import torch

from dl_shared.tasks import cifar10
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from dl_shared.unrecorded import unrecorded_run
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.model import load_backbone
from xla_projects.cifar10.train import PROJECT, fit
from xla_projects.device import start_device

SPACE: Space = {
    "learning_rate": Float(1e-4, 1e-2, log=True),
    "layer_decay": Float(0.3, 1.0),
    "warmup": Float(0.0, 0.5),
    "head_epochs": Choice((0, 1)),
    "smallest_crop": Float(0.4, 1.0),
}


def search(config: Config, options: TuneOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; what is not searched stays as in the config."""
    return tune(
        PROJECT, config, SPACE, objective, direction="maximize", metric="validation accuracy", options=options
    ).summary()


def objective(config: Config, report: Report) -> float:
    """The best validation accuracy of any epoch."""
    accuracies: list[float] = []

    def watch(epoch: int, validation: dict[str, float]) -> None:
        accuracies.append(validation["accuracy"])
        report(validation["accuracy"], step=epoch)

    device = start_device(config)
    data = cifar10.load(config.data, seed=config.seed)
    torch.manual_seed(config.seed)
    pretrained = load_backbone(config.backbone, data.class_names, config.image_size)
    with unrecorded_run() as run:
        fit(config, pretrained, data, run, device, watch)
    return max(accuracies)
