"""PyTorch/XLA: the networks of xla-stocks (its LSTM a scan) and xla-cifar10, and the plain CNN, as compiled graphs."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from cases import CLASSES, FEATURES, HIDDEN, HORIZON, LAYERS, Case, Outcome, answer, class_name
from torch import Tensor, nn
from torch_networks import Cnn, as_array, cnn_names, cross_entropy, gradients, load, lstm_names

from dl_shared.tasks.cifar10_config import EMBEDDED
from xla_projects.cifar10.model import load_backbone
from xla_projects.config import XlaConfig
from xla_projects.device import start_device
from xla_projects.stocks.config import Config
from xla_projects.stocks.model import Forecaster

# Before anything goes backward on the host: a process that has cannot do so on the device any more.
DEVICE = start_device(XlaConfig(epochs=1, batch_size=1, device="cpu"))


class BatchFirst(nn.Module):
    """The forecaster with windows first, as elsewhere; its own order is days first, as the scan takes them."""

    def __init__(self, network: Forecaster) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: Tensor) -> Tensor:
        return self.network(windows.transpose(0, 1)).transpose(0, 1)


def lstm(case: Case) -> Outcome:
    config = Config(cell="lstm", hidden=HIDDEN, layers=LAYERS, horizon=HORIZON, dropout=0.0)
    network = Forecaster(config, features=FEATURES)
    return first_step(network, BatchFirst(network), case, F.mse_loss, lstm_names())


def cnn(case: Case) -> Outcome:
    network = Cnn()
    return first_step(network, network, case, cross_entropy, cnn_names())


def resnet(case: Case) -> Outcome:
    network = load_backbone(EMBEDDED, [str(label) for label in range(CLASSES)]).network
    return first_step(network, network, case, cross_entropy, {name: name for name in case.weights})


def first_step(
    network: nn.Module,
    called: nn.Module,
    case: Case,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    names: dict[str, str],
) -> Outcome:
    load(network, case.weights, names)
    DEVICE.to(called)

    @DEVICE.compiled
    def predict(inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return called.eval()(inputs)

    @DEVICE.compiled
    def train_step(inputs: Tensor, targets: Tensor) -> Tensor:
        loss = loss_fn(called.train()(inputs), targets)
        loss.backward()
        return loss.detach()

    inputs, targets = DEVICE.put(case.inputs), DEVICE.put(case.targets)
    outputs = as_array(predict(inputs))
    loss = train_step(inputs, targets).item()
    return Outcome(class_name(network), outputs, loss, gradients(network, case, names))


if __name__ == "__main__":
    answer(lstm=lstm, cnn=cnn, resnet=resnet)
