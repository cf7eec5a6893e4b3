"""The run around the training: data, network, one test at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pytorch_lightning.callbacks import Callback, WeightAveraging
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import cifar10
from lightning_projects.checkpoints import fill_in
from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.data import CifarData
from lightning_projects.cifar10.model import Network, mirrored_too, normalize, whitening_filters
from lightning_projects.cifar10.module import Classifier
from lightning_projects.fitting import fit
from lightning_projects.processes import start_run

PROJECT = "lightning-cifar10"
MONITOR = "validation/accuracy"
WHITENING_IMAGES = 5000
PREDICTED_AT_ONCE = 500


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, report; returns the run directory. A process that follows another ends here.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    with start_run(
        PROJECT, config, task="cifar10", framework="lightning", primary="accuracy", runs_dir=runs_dir, resume=resume
    ) as run:
        data = cifar10.load(config.data, seed=config.seed)
        cifar10.record_data(run, data)
        network, device = fit_network(config, data, run)
        if run.follows:  # what is left is for one process
            raise SystemExit(0)
        validation, test = (
            predict_probabilities(network, part.images, device, flip_test=config.flip_test)
            for part in (data.validation, data.test)
        )
        cifar10.report(run, data, test, validation)
    return run.path


def fit_network(config: Config, data: cifar10.Data, run: Run) -> tuple[Network, torch.device]:
    """The network of the best epoch, and the device on which it was trained."""
    datamodule = CifarData(config, data)
    module = make_module(config, datamodule)
    say(f"{len(data.train):,} training images, {config.precision}")
    best = fit(module, datamodule, config, run, monitor=MONITOR, callbacks=averaging(config))
    device = module.trainer.strategy.root_device
    return restore_network(config, best, len(data.class_names)).to(device), device


def make_module(config: Config, datamodule: CifarData) -> Classifier:
    """The module before its first step."""
    data = datamodule.data
    torch.manual_seed(config.seed)  # the initial weights
    network = Network(config, classes=len(data.class_names))
    inputs = normalize(torch.from_numpy(data.train.images[:WHITENING_IMAGES]))
    network.stem.filters.copy_(whitening_filters(inputs, 2 * config.stem_stride))
    if config.compile:
        network.compile()
    return Classifier(config, network, config.epochs * datamodule.steps_per_epoch)


def averaging(config: Config) -> tuple[Callback, ...]:
    """Validation, the best checkpoint and the test are of a running average of weights and statistics."""
    return (WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(config.ema)),) if config.ema else ()


def restore_network(config: Config, checkpoint: Mapping[str, Any], classes: int) -> Network:
    """The network of a checkpoint, ready to predict.

    Raises:
        InputError: if the weights are of another network.
    """
    network = Network(config, classes=classes)
    fill_in(network, checkpoint)
    return network.eval()


@torch.inference_mode()
def predict_probabilities(
    network: nn.Module, images: UInt8[np.ndarray, "n 32 32 3"], device: torch.device, *, flip_test: bool
) -> Float[np.ndarray, "n classes"]:
    """Of each class, for each image; in float32, whatever the training was in."""
    rows = []
    for chunk in torch.from_numpy(images).split(PREDICTED_AT_ONCE):
        inputs = normalize(chunk.to(device))
        logits = mirrored_too(network, inputs) if flip_test else network(inputs)
        rows.append(logits.softmax(1).cpu().numpy())
    return np.concatenate(rows)
