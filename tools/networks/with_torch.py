"""Plain PyTorch, in the environment of dl-architectures."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from cases import CLASSES, Case, Outcome, answer, class_name
from torch import Tensor, nn
from torch_networks import Cnn, Lstm, as_array, cnn_names, cross_entropy, gradients, load, lstm_names
from transformers import ResNetConfig, ResNetForImageClassification

from dl_shared.data.picture_backbones import embedded_folder


class Resnet(ResNetForImageClassification):
    """The one of transformers, giving logits alone."""

    def forward(self, pixel_values: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(pixel_values).logits


def lstm(case: Case) -> Outcome:
    return first_step(Lstm(), case, F.mse_loss, lstm_names())


def cnn(case: Case) -> Outcome:
    return first_step(Cnn(), case, cross_entropy, cnn_names())


def resnet(case: Case) -> Outcome:
    labels = {label: str(label) for label in range(CLASSES)}
    network = Resnet(ResNetConfig.from_pretrained(embedded_folder(), id2label=labels))
    return first_step(network, case, cross_entropy, {name: name for name in case.weights})


def first_step(
    network: nn.Module, case: Case, loss_fn: Callable[[Tensor, Tensor], Tensor], names: dict[str, str]
) -> Outcome:
    load(network, case.weights, names)
    inputs, targets = torch.from_numpy(case.inputs), torch.from_numpy(case.targets)
    with torch.no_grad():
        outputs = network.eval()(inputs)
    loss = loss_fn(network.train()(inputs), targets)
    loss.backward()
    return Outcome(class_name(network), as_array(outputs), loss.item(), gradients(network, case, names))


if __name__ == "__main__":
    answer(lstm=lstm, cnn=cnn, resnet=resnet)
