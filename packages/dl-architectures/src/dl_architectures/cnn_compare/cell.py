"""One cell of the grid: a network trained on a data set with a seed; the step, the loop, and what is kept of it.

A cell's folder has metrics.jsonl, checkpoints, and at the end predictions.npy and result.json, which makes it finished.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dl_architectures import checkpoints
from dl_architectures.cnn_compare.config import RESULT, Cell, Config
from dl_architectures.cnn_compare.data import Normalisation, TrainImages
from dl_architectures.cnn_compare.networks import make_network
from dl_architectures.cnn_compare.networks.classifier import Classifier
from dl_architectures.devices import describe_device
from dl_shared.config import Precision
from dl_shared.errors import InputError
from dl_shared.files import atomic_path, write_json
from dl_shared.metrics.classification import score
from dl_shared.runs import log_row, rewind_history
from dl_shared.schedules import warmup_linear
from dl_shared.tasks import cifar10

LAST = "last.safetensors"  # of a cell in progress
PREDICTED_AT_ONCE = 500  # images
MEASURED_STEPS, MEASURED_SHARE = 3, 0.05  # at least, and of the budget, after a step that is not counted
Stop = Callable[[], bool]


class Stopped(Exception):  # noqa: N818 (no error)
    """The cell was asked to stop, and is saved."""


@dataclass
class Position:
    """Where a training stands: all that a checkpoint holds beside weights and optimizer."""

    steps: int
    """Of the whole training."""
    step: int = 0
    train_seconds: float = 0.0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Of the epoch so far: loss (nats), right answers, images."""
    best: float = -1.0
    """Validation accuracy."""


def train_cell(config: Config, cell: Cell, folder: Path, data: cifar10.Data, device: torch.device, stop: Stop) -> None:
    """Train to the end, from the last checkpoint if there is one; then test once.

    Args:
        config: of the comparison.
        cell: which network, data set and seed.
        folder: of the cell.
        data: its data set.
        device: that trains.
        stop: called after each update; returns whether to stop.

    Raises:
        Stopped: if asked to stop.
        InputError: if there are fewer images than a batch, or the loss is no longer finite.
    """
    training = Training(config, cell, folder, data, device)
    while training.at.step < training.at.steps:
        training.epoch(training.at.step // len(training.train), stop)
    network, normalise, validation = load_network(folder, cell, device)
    probabilities = predict_probabilities(network, normalise, data.test.images, config.precision)
    with atomic_path(folder / "predictions.npy") as temporary, temporary.open("wb") as file:
        np.save(file, probabilities, allow_pickle=False)
    test = score(data.test.labels, probabilities, data.class_names)
    write_json(folder / RESULT, training.result() | {"validation": validation, "test": test})
    training.last.unlink()


class Training:
    """A cell in progress, which can be saved after any update and taken up from there, bit for bit on a CPU."""

    def __init__(self, config: Config, cell: Cell, folder: Path, data: cifar10.Data, device: torch.device) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(cell.seed)  # the initial weights
        self.config, self.cell, self.folder, self.data, self.device = config, cell, folder, data, device
        self.train = TrainImages(data.train, device, cell.dataset, config, cell.seed)
        if len(self.train) == 0:
            raise InputError(f"{len(data.train)} training images make no batch of {config.batch_size}")
        self.scale = Normalisation.measure(data.train.images)
        self.normalise = Normalisation(self.scale[0], self.scale[1], device)
        self.shape: dict[str, Any] = {
            "channels": data.train.images.shape[3],
            "classes": len(data.class_names),
            "width": config.width,
        }
        self.network = self._make_network()
        self.optimizer = make_optimizer(self.network, config)
        self.last, self.best = folder / LAST, folder / "best.safetensors"
        if self.last.exists():
            parts, values = checkpoints.load(self.last)
            checkpoints.restore(self.last, parts, self.network, self.optimizer)
            self.at = Position(**values)
            rewind_history(folder, self.at.step)
        else:
            self.at = Position(steps=self._steps())
            rewind_history(folder, 0)
        self.sums = torch.tensor(self.at.sums, device=device)
        self.clock = self.saved = time.perf_counter()

    def _make_network(self) -> Classifier:
        network = make_network(self.cell.architecture, **self.shape)
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _steps(self) -> int:
        """Updates that epochs ask for, or that fit the seconds if nothing else disturbs them."""
        config, steps = self.config, self.config.epochs * len(self.train)
        if not config.budget_seconds:
            return steps
        plan = self.train.plan(0)
        trial = self._make_network()
        optimizer = make_optimizer(trial, config)
        seconds: list[float] = []
        while len(seconds) < 1 + MEASURED_STEPS or sum(seconds[1:]) < MEASURED_SHARE * config.budget_seconds:
            begun = time.perf_counter()
            batch = self.train.batch(*(part[: config.batch_size] for part in plan))
            float(train_step(trial, optimizer, self.normalise, batch, config)[0])  # waits for the device
            seconds.append(time.perf_counter() - begun)
        return max(1, min(steps, int(config.budget_seconds / min(seconds[1:]))))

    def epoch(self, epoch: int, stop: Stop) -> None:
        """The updates of an epoch that are still to be made, and its validation."""
        config, at, size = self.config, self.at, self.config.batch_size
        plan = self.train.plan(epoch)
        first = epoch * len(self.train)
        end = min(first + len(self.train), at.steps)
        self.network.train()
        for step in range(at.step, end):
            own = slice((step - first) * size, (step - first + 1) * size)
            rate = config.learning_rate * warmup_linear(step, at.steps, config.warmup)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            _draw_by_step(self.cell.seed, step)
            batch = self.train.batch(*(part[own] for part in plan))
            self.sums += train_step(self.network, self.optimizer, self.normalise, batch, config)
            at.step += 1
            if at.step < end:  # the last is saved with its validation, or resuming would skip that
                self._save_or_stop(stop)
        self._validate()
        self._save_or_stop(stop, now=True)

    def _save_or_stop(self, stop: Stop, *, now: bool = False) -> None:
        """Save if it is time; stop if asked to."""
        stopping = stop()
        if stopping or now or time.perf_counter() - self.saved >= self.config.checkpoint_seconds:
            self.at.sums = self.sums.tolist()  # waits for the device
            self.saved = time.perf_counter()
            self.at.train_seconds += self.saved - self.clock
            self.clock = self.saved
            checkpoints.save(self.last, asdict(self.at), self.network, self.optimizer)
        if stopping:
            raise Stopped

    def _validate(self) -> None:
        """Score, log, and keep the weights if they are the best."""
        at, part = self.at, self.data.validation
        loss, trained_right, images = self.sums.tolist()
        if not math.isfinite(loss):
            raise InputError("the loss is no longer finite; take a lower --learning-rate")
        at.train_seconds += time.perf_counter() - self.clock
        probabilities = predict_probabilities(self.network, self.normalise, part.images, self.config.precision)
        right = probabilities.argmax(axis=1) == part.labels
        chosen = np.take_along_axis(probabilities, part.labels[:, None], axis=1)
        validation = {"loss": float(-np.log(np.maximum(chosen, 1e-12)).mean()), "accuracy": float(right.mean())}
        train = {"loss": loss / images, "accuracy": trained_right / images}
        for split, scores in (("train", train), ("validation", validation)):
            log_row(self.folder, step=at.step, epoch=at.step / len(self.train), split=split, **scores)
        self.sums.zero_()
        if validation["accuracy"] > at.best:
            at.best = validation["accuracy"]
            values = {"validation": validation, "scale": self.scale, "shape": self.shape}
            checkpoints.save(self.best, values, self.network)
        self.clock = time.perf_counter()  # validation is not counted as training

    def result(self) -> dict[str, Any]:
        """What was trained, how long, and at which rate."""
        at = self.at
        return {
            "dataset": self.cell.dataset,
            "architecture": self.cell.architecture,
            "seed": self.cell.seed,
            "parameters": sum(param.numel() for param in self.network.parameters()),
            "flops": count_flops(self.network, self.data.test.images[:1], self.normalise),
            "steps": at.steps,
            "epochs": at.steps / len(self.train),
            "train_seconds": at.train_seconds,
            "images_per_second": at.steps * self.config.batch_size / at.train_seconds,
            "device": describe_device(self.device),
            "precision": self.config.precision,
        }


def load_network(folder: Path, cell: Cell, device: torch.device) -> tuple[Classifier, Normalisation, dict[str, float]]:
    """The network of a cell's best epoch, what prepares images for it, and its validation scores.

    Raises:
        InputError: if the cell has no checkpoint yet, or it is damaged.
    """
    path = folder / "best.safetensors"
    parts, values = checkpoints.load(path)
    try:
        network = make_network(cell.architecture, **values["shape"])
        mean, std = values["scale"]
        normalise = Normalisation(mean, std, device)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    checkpoints.restore(path, parts, network)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network, normalise, values["validation"]


def train_step(
    network: Classifier,
    optimizer: torch.optim.Optimizer,
    normalise: Normalisation,
    batch: tuple[UInt8[Tensor, "batch height width channels"], Int[Tensor, " batch"]],
    config: Config,
) -> Float[Tensor, " 3"]:
    """One update; returns the loss summed over the batch (nats), its right answers, and its images."""
    images, labels = batch
    with torch.autocast(images.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        heads = network.heads(normalise(images))
    losses = [
        weight * F.cross_entropy(logits.float(), labels, label_smoothing=config.label_smoothing)
        for weight, logits in heads
    ]
    optimizer.zero_grad()
    torch.stack(losses).sum().backward()
    optimizer.step()
    logits = heads[0][1]
    count = torch.full_like(losses[0], len(labels))
    return torch.stack([losses[0].detach() * count, (logits.argmax(1) == labels).sum().to(count), count])


def make_optimizer(network: Classifier, config: Config) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101); biases and normalisations do not decay."""
    params = list(network.parameters())
    groups = [
        {"params": [param for param in params if param.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [param for param in params if param.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


@torch.inference_mode()
def predict_probabilities(
    network: Classifier,
    normalise: Normalisation,
    images: UInt8[np.ndarray, "n height width channels"],
    precision: Precision,
) -> Float[np.ndarray, "n classes"]:
    """Of each class, for each image; in the number format of the training."""
    network.eval()
    device = next(network.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = [network(normalise(chunk.to(device))) for chunk in torch.from_numpy(images).split(PREDICTED_AT_ONCE)]
    return torch.cat(logits).float().softmax(1).cpu().numpy()


def count_flops(
    network: Classifier, image: UInt8[np.ndarray, "1 height width channels"], normalise: Normalisation
) -> int:
    """Floating-point operations of one image forward; a product and a sum count as two."""
    with FlopCounterMode(display=False) as counter:
        predict_probabilities(network, normalise, image, "fp32")
    return int(counter.get_total_flops())


def _draw_by_step(seed: int, step: int) -> None:
    """Make what dropout draws, from torch's own generator, a function of the update: so it is the same when resumed."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1)[0]))
