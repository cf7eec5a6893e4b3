"""PyTorch Lightning: the networks of lightning-stocks and lightning-cifar10, trained for one step by a Trainer."""

from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from cases import (
    CLASSES,
    DEPTH,
    FEATURES,
    HIDDEN,
    HORIZON,
    LABEL_SMOOTHING,
    LAYERS,
    STRIDE,
    WIDTHS,
    Arrays,
    Case,
    Outcome,
    answer,
    class_name,
)
from torch import nn
from torch.utils.data import DataLoader
from torch_networks import as_array, cnn_names, gradients, load, lstm_names

from lightning_projects.cifar10 import model as cifar10_model
from lightning_projects.cifar10.config import Config as Cifar10Config
from lightning_projects.cifar10.module import Classifier
from lightning_projects.config import LightningConfig
from lightning_projects.fitting import make_trainer
from lightning_projects.stocks.config import Config as StocksConfig
from lightning_projects.stocks.data import TrainBatch
from lightning_projects.stocks.model import Forecaster
from lightning_projects.stocks.module import Regressor

ONE_STEP: dict[str, Any] = {"data": "sample", "device": "cpu", "precision": "fp32", "epochs": 1, "dropout": 0.0}


class Keep(pl.Callback):
    """The loss of the step, and its gradients before they are clipped."""

    def __init__(self, case: Case, names: dict[str, str]) -> None:
        self.case, self.names = case, names
        self.gradients: Arrays = {}
        self.loss = float("nan")

    def on_after_backward(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.gradients = gradients(pl_module.network, self.case, self.names)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.loss = outputs["loss"].item()


def lstm(case: Case) -> Outcome:
    config = StocksConfig(**ONE_STEP, batch_size=len(case.inputs), hidden=HIDDEN, layers=LAYERS, horizon=HORIZON)
    network = Forecaster(config, features=FEATURES)
    batch = TrainBatch(torch.from_numpy(case.inputs), torch.from_numpy(case.targets))
    return first_step(Regressor(config, network, 1), network, batch, case, lstm_names("lstm"), config)


def cnn(case: Case) -> Outcome:
    # The one thing in which the projects differ: torch's GELU is exact, JAX's has a tanh.
    cifar10_model.ACTIVATIONS["gelu"] = partial(F.gelu, approximate="tanh")
    config = Cifar10Config(
        **ONE_STEP,
        batch_size=len(case.inputs),
        widths=WIDTHS,
        depth=DEPTH,
        stem_stride=STRIDE,
        activation="gelu",
        label_smoothing=LABEL_SMOOTHING,
    )
    network = cifar10_model.Network(config, classes=CLASSES)
    # The project divides its logits by nine: so its classifier is as much larger, and the gradient as much smaller.
    scale = cifar10_model.LOGIT_SCALE
    larger = Case({**case.weights, "classifier": case.weights["classifier"] / scale}, case.inputs, case.targets)
    batch = torch.from_numpy(case.inputs), torch.from_numpy(case.targets)
    found = first_step(Classifier(config, network, 1), network, batch, larger, cnn_names("stem.filters"), config)
    found.gradients["classifier"] /= scale
    return found


def first_step(
    module: pl.LightningModule,
    network: nn.Module,
    batch: Any,
    case: Case,
    names: dict[str, str],
    config: LightningConfig,
) -> Outcome:
    load(network, case.weights, names)
    with torch.no_grad():
        outputs = network.eval()(batch[0])
    network.train()
    keep = Keep(case, names)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    loader = DataLoader([batch], batch_size=None, collate_fn=lambda batch: batch)  # as it is
    make_trainer(config, callbacks=[keep], **quiet).fit(module, loader)
    return Outcome(class_name(network), as_array(outputs), keep.loss, keep.gradients)


if __name__ == "__main__":
    answer(lstm=lstm, cnn=cnn)
