"""Hugging Face Accelerate: the networks of accelerate-stocks and accelerate-cifar10, and the plain CNN."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from cases import CLASSES, FEATURES, HIDDEN, HORIZON, LAYERS, Case, Outcome, answer, class_name
from torch import Tensor, nn
from torch_networks import Cnn, as_array, cnn_names, cross_entropy, gradients, load, lstm_names

from accelerate_projects.cifar10.model import load_backbone
from accelerate_projects.config import AccelerateConfig
from accelerate_projects.processes import make_accelerator
from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.model import Forecaster
from dl_shared.tasks.cifar10_config import EMBEDDED


def lstm(case: Case) -> Outcome:
    config = Config(cell="lstm", hidden=HIDDEN, layers=LAYERS, horizon=HORIZON, dropout=0.0)
    return first_step(Forecaster(config, features=FEATURES), case, F.mse_loss, lstm_names())


def cnn(case: Case) -> Outcome:
    return first_step(Cnn(), case, cross_entropy, cnn_names())


def resnet(case: Case) -> Outcome:
    network = load_backbone(EMBEDDED, [str(label) for label in range(CLASSES)]).network
    return first_step(network, case, cross_entropy, {name: name for name in case.weights})


def first_step(
    network: nn.Module, case: Case, loss_fn: Callable[[Tensor, Tensor], Tensor], names: dict[str, str]
) -> Outcome:
    load(network, case.weights, names)
    config = AccelerateConfig(epochs=1, batch_size=len(case.inputs), device="cpu")
    accelerator = make_accelerator(config)
    model: Any = accelerator.prepare(network)
    inputs, targets = (torch.from_numpy(array).to(accelerator.device) for array in (case.inputs, case.targets))
    with torch.no_grad():
        outputs = model.eval()(inputs)
    model.train()
    with accelerator.accumulate(model):
        loss = loss_fn(model(inputs), targets)
        accelerator.backward(loss)
    found = gradients(accelerator.unwrap_model(model), case, names)
    return Outcome(class_name(network), as_array(outputs), loss.item(), found)


if __name__ == "__main__":
    answer(lstm=lstm, cnn=cnn, resnet=resnet)
