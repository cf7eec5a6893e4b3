"""Fine-tune a ResNet with PyTorch/XLA: the run, then the loop, then what the loop calls."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from dl_shared.data.draws import Draws
from dl_shared.data.images import with_labels
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import cifar10
from xla_projects.cifar10.augment import Pipeline, draw_views
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.evaluation import Evaluation
from xla_projects.cifar10.model import Network, Pretrained, load_backbone, load_best, save_description
from xla_projects.cifar10.optimizer import LayerwiseRates
from xla_projects.device import Device, start_device
from xla_projects.keeper import Keeper
from xla_projects.optimizer import make_adamw, set_rates
from xla_projects.processes import start_run

PROJECT = "xla-cifar10"
Step = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
Watch = Callable[[int, dict[str, float]], None]


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, and report; returns the run directory. Hosts other than the first end here.

    Raises:
        InputError: if data, backbone, device or the run to resume cannot be used.
    """
    device = start_device(config)
    with start_run(
        device,
        PROJECT,
        config,
        task="cifar10",
        framework="xla",
        primary="accuracy",
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = cifar10.load(config.data, seed=config.seed)
        cifar10.record_data(run, data)
        torch.manual_seed(config.seed)  # the head, and without a backbone all weights
        pretrained = load_backbone(config.backbone, data.class_names, config.image_size)
        evaluation = fit(config, pretrained, data, run, device)
        load_best(run.path, device, evaluation.network)
        validation, test = (evaluation.probabilities(part.images) for part in (data.validation, data.test))
        if run.follows:
            raise SystemExit(0)
        cifar10.report(run, data, test, validation)
    return run.path


def fit(
    config: Config,
    pretrained: Pretrained,
    data: cifar10.Data,
    run: Run,
    device: Device,
    watch: Watch | None = None,
) -> Evaluation:
    """Train first the head alone, then all layers, by one compiled step; from the last checkpoint if there is one.

    Args:
        config: of the run.
        pretrained: the network before its first update; it is moved to the device.
        data: its training pictures, as far as the options allow their labels, are learned from; its validation pictures
            are scored after each epoch.
        run: keeps checkpoints and scores.
        device: that trains.
        watch: called after each epoch with its number, from 1, and its validation scores.

    Returns:
        The compiled evaluation, of the network as it is after the last epoch; the run holds the best one.

    Raises:
        InputError: if there are fewer pictures than a batch, or the loss is no longer finite.
    """
    labelled, passes = with_labels(data.train, config.label_share, config.seed)
    say(f"{len(labelled):,} labelled pictures, {config.precision}, backbone {config.backbone}")
    draws = Draws(len(labelled), config.batch_size, config.seed, passes)
    if draws.steps_per_epoch == 0:
        raise InputError(f"{len(labelled) * passes} pictures make no batch of {config.batch_size}; lower --batch-size")
    if not run.follows:
        save_description(run.path, pretrained)
    network = device.to(pretrained.network)
    pipeline = Pipeline(pretrained.preparation, labelled.images.shape[1], device)
    images, labels = device.put(labelled.images), device.put(labelled.labels)
    rates = LayerwiseRates(network, config, draws.steps_per_epoch)
    optimizer = make_adamw(device, rates.groups)
    train_step = make_train_step(device, network, optimizer, pipeline, images, labels, config.label_smoothing)
    evaluation = Evaluation(network, pipeline, device)
    keeper = Keeper(
        device,
        config,
        run,
        network,
        optimizer,
        steps_per_epoch=draws.steps_per_epoch,
        batch_size=config.batch_size,
        unit="pictures",
        metric="accuracy",
        higher_is_better=True,
        sums=3,
    )

    with keeper.working():
        for epoch in range(keeper.epoch, config.epochs):
            for step in keeper.remaining(epoch):
                drawn = draws.batch(epoch, step)
                views = draw_views(config, drawn, pipeline.side, pipeline.size)
                keeper.after_step(
                    train_step(
                        keeper.sums,
                        device.put(drawn % len(labelled), split=True),
                        device.put(views, split=True),
                        device.put(rates.at(epoch, step)),
                    )
                )
            trained = scores(keeper.train_sums())
            validation = evaluation.scores(data.validation.images, data.validation.labels)
            keeper.after_epoch(trained, validation)
            if watch is not None:
                watch(epoch + 1, validation)
    keeper.record_cost()
    return evaluation


def make_train_step(
    device: Device,
    network: Network,
    optimizer: torch.optim.Optimizer,
    pipeline: Pipeline,
    images: UInt8[Tensor, "n side side 3"],
    labels: Int[Tensor, " n"],
    label_smoothing: float,
) -> Step:
    """An update as one graph; pictures, labels and sums stay on the device.

    Returns:
        A function of the sums over the epoch so far, the rows of a batch, their views, and the learning rate of each
        group of parameters; it returns the new sums, see `batch_sums`.
    """

    @device.compiled
    def train_step(
        sums: Float[Tensor, " 3"],
        rows: Int[Tensor, " batch"],
        views: Float[Tensor, "batch 8"],
        rates: Float[Tensor, " groups"],
    ) -> Float[Tensor, " 3"]:
        set_rates(optimizer, rates)
        network.train()
        inputs, expected = pipeline.inputs(images[rows], views), labels[rows]
        with device.autocast():
            logits = network(inputs).float()
        loss = F.cross_entropy(logits, expected, label_smoothing=label_smoothing)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return sums + batch_sums(loss, logits, expected)

    return train_step


def batch_sums(
    loss: Float[Tensor, ""], logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, " 3"]:
    """Sums over a batch: losses, right answers, pictures. `loss` is the mean over the batch."""
    count = torch.full_like(loss, len(labels))
    return torch.stack([loss.detach() * count, (logits.argmax(1) == labels).sum().to(loss), count])


def scores(sums: list[float]) -> dict[str, float]:
    """`loss` (nats) and `accuracy`, from sums over pictures."""
    loss, correct, count = sums
    return {"loss": loss / count, "accuracy": correct / count}
