"""The one evaluation that a process compiles, for validation, test and all other pictures."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from scipy.special import log_softmax, softmax
from torch import Tensor

from xla_projects.cifar10.augment import Pipeline, whole_pictures
from xla_projects.cifar10.model import Network
from xla_projects.device import Device, fetch

BATCH = 256


class Evaluation:
    """Logits of a network on the device for any number of pictures, in batches of one size.

    The last batch is filled up with black pictures, whose logits are dropped.

    Args:
        network: on the device; its weights may change between calls.
        pipeline: makes its inputs.
        device: that computes.
    """

    def __init__(self, network: Network, pipeline: Pipeline, device: Device) -> None:
        self.network, self.pipeline, self.device = network, pipeline, device
        self.batch_size = -(-BATCH // device.count) * device.count  # rounded up to a multiple of the devices
        self.views = device.put(whole_pictures(self.batch_size, pipeline.side, pipeline.size), split=True)
        self.step = device.compiled(self.evaluation_step)

    def evaluation_step(self, images: UInt8[Tensor, "batch side side 3"]) -> Float[Tensor, "batch classes"]:
        self.network.eval()
        with torch.no_grad():  # inference_mode fails on XLA tensors
            inputs = self.pipeline.inputs(images, self.views)
            with self.device.autocast():
                return self.network(inputs).float()

    def logits(self, images: UInt8[np.ndarray, "n side side 3"]) -> Float32[np.ndarray, "n classes"]:
        """One row for each picture, in order."""
        batches = [self.step(self.device.put(batch, split=True)) for batch in self._padded(images)]
        return np.concatenate([fetch(batch) for batch in batches])[: len(images)]

    def probabilities(self, images: UInt8[np.ndarray, "n side side 3"]) -> Float32[np.ndarray, "n classes"]:
        """Of each class, for each picture."""
        return softmax(self.logits(images), axis=1)

    def scores(self, images: UInt8[np.ndarray, "n side side 3"], labels: Int64[np.ndarray, " n"]) -> dict[str, float]:
        """`loss` (nats) and `accuracy`."""
        logits = self.logits(images).astype(np.float64)
        losses = -np.take_along_axis(log_softmax(logits, axis=1), labels[:, None], axis=1)
        return {"loss": float(losses.mean()), "accuracy": float((logits.argmax(1) == labels).mean())}

    def _padded(self, images: UInt8[np.ndarray, "n side side 3"]) -> Iterator[UInt8[np.ndarray, "batch side side 3"]]:
        for first in range(0, len(images), self.batch_size):
            batch = images[first : first + self.batch_size]
            yield np.pad(batch, [(0, self.batch_size - len(batch)), (0, 0), (0, 0), (0, 0)])
