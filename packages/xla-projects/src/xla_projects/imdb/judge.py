"""The evaluation: a network as a function from reviews to probabilities, and the scores of these."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import log_softmax
from torch import Tensor

from dl_shared.data.packing import NOBODY
from dl_shared.progress import progress, silence
from xla_projects.device import Device, fetch
from xla_projects.imdb.data import Batch, Batches
from xla_projects.imdb.model import Network


class Judge:
    """Probabilities of negative and positive, by the weights that the network has at the time of the call.

    Args:
        network: on the device.
        device: compiles one graph for each shape of rows; None computes eagerly on the host, which for a few reviews
            takes less time than compiling.
    """

    def __init__(self, network: Network, device: Device | None) -> None:
        self.network, self.device = network, device
        self.compiled = None if device is None else device.compiled(self.evaluation_step)

    def __call__(self, batches: Batches) -> Float[np.ndarray, "reviews 2"]:
        """One row for each review, in order."""
        rows = np.empty((len(batches.labels), 2))
        with progress(len(rows), "judging", unit="reviews") as bar:
            for step in range(batches.steps):
                batch, table = batches.batch(0, step)
                taken = table != NOBODY
                rows[table[taken]] = self.logits(batch)[taken]
                bar.advance(int(taken.sum()))
        return np.exp(log_softmax(rows, axis=1))

    def logits(self, batch: Batch) -> Float[np.ndarray, "rows places 2"]:
        """Logits of one step; those of empty places mean nothing."""
        self.network.eval()
        packed = batch[:4]
        if self.device is None or self.compiled is None:
            with torch.inference_mode():
                return self.network(*map(torch.from_numpy, packed)).numpy()
        return fetch(self.compiled(*(self.device.put(array, split=True) for array in packed)))

    @torch.no_grad()
    def evaluation_step(self, *packed: Int[Tensor, "rows _"]) -> Float[Tensor, "rows places 2"]:
        assert self.device is not None
        with self.device.autocast():
            return self.device.whole(self.network(*packed).float())


def validate(judge: Judge, batches: Batches) -> dict[str, float]:
    """Scores of all reviews, in the number format of the training."""
    with silence():  # the training has a progress bar already
        probabilities, labels = judge(batches), batches.labels
    losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(float).tiny))
    predicted, actual = probabilities.argmax(1) == 1, labels == 1
    kinds = (predicted & actual, predicted & ~actual, ~predicted & actual, ~predicted & ~actual)
    return scores([float(losses.sum()), *(float(kind.sum()) for kind in kinds)])


def scores(sums: Sequence[float]) -> dict[str, float]:
    """`loss` (nats) and `accuracy`; `precision`, `recall` and `f1` of the class positive.

    Args:
        sums: of losses; then numbers of true positives, false positives, false negatives, true negatives.
    """
    loss, hits, alarms, misses, rejections = sums
    count = hits + alarms + misses + rejections
    return {
        "loss": loss / count,
        "accuracy": (hits + rejections) / count,
        "precision": hits / max(hits + alarms, 1),
        "recall": hits / max(hits + misses, 1),
        "f1": 2 * hits / max(2 * hits + alarms + misses, 1),
    }
