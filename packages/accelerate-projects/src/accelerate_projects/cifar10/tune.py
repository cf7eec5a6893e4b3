"""A search over the options of fine-tuning, on validation accuracy."""

from typing import Any

import torch

from accelerate_projects.cifar10.config import Config
from accelerate_projects.cifar10.model import load_backbone
from accelerate_projects.cifar10.train import PROJECT, fit
from accelerate_projects.processes import make_accelerator
from accelerate_projects.unrecorded import unrecorded_run
from dl_shared.tasks import cifar10
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune

SPACE: Space = {
    "learning_rate": Float(0.005, 0.5, log=True),
    "weight_decay": Float(1e-5, 1e-2, log=True),
    "layer_decay": Float(0.3, 1.0),
    "label_smoothing": Float(0.0, 0.2),
    "smallest_crop": Float(0.4, 1.0),
    "ema": Choice((0.0, 0.95, 0.99)),
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

    data = cifar10.load(config.data, seed=config.seed)
    torch.manual_seed(config.seed)
    pretrained = load_backbone(config.backbone, data.class_names, config.image_size)
    with unrecorded_run() as run:
        fit(config, pretrained, data, run, make_accelerator(config), watch)
    return max(accuracies)
