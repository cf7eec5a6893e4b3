"""Fine-tune a ResNet with Accelerate: the run, then the loop, then what the loop calls."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from accelerate_projects.batches import DrawSampler, epoch_loader
from accelerate_projects.cifar10.augment import Pipeline
from accelerate_projects.cifar10.config import Config, SgdConfig
from accelerate_projects.cifar10.data import Pictures
from accelerate_projects.cifar10.memory import PeakMemory
from accelerate_projects.cifar10.model import Network, Pretrained, load_backbone, load_trained, save_description
from accelerate_projects.cifar10.normalization import share_statistics
from accelerate_projects.keeper import Keeper
from accelerate_projects.processes import make_accelerator, start_run
from dl_shared.data.image_sets import Split
from dl_shared.data.images import with_labels
from dl_shared.data.picture_backbones import levels_below_head
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.schedules import warmup_linear
from dl_shared.tasks import cifar10
from dl_shared.tasks.cifar10_config import NONE

PROJECT = "accelerate-cifar10"
Watch = Callable[[int, dict[str, float]], None]
PREDICTED_AT_ONCE = 500
# While only the head learns, the other layers have no gradients to wait for.
HEAD_MAY_LEARN_ALONE = DistributedDataParallelKwargs(find_unused_parameters=True)


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, and report; returns the run directory. Processes other than the first end here.

    Raises:
        InputError: if data, backbone, device or the run to resume cannot be used.
    """
    head_first = config.head_epochs > 0 and config.backbone != NONE
    accelerator = make_accelerator(config, *([HEAD_MAY_LEARN_ALONE] if head_first else []))
    with start_run(
        accelerator,
        PROJECT,
        config,
        task="cifar10",
        framework="accelerate",
        primary="accuracy",
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = cifar10.load(config.data, seed=config.seed)
        cifar10.record_data(run, data)
        torch.manual_seed(config.seed)  # the head, and without a backbone all weights
        pretrained = load_backbone(config.backbone, data.class_names, config.image_size)
        fit(config, pretrained, data, run, accelerator)
        if run.follows:
            raise SystemExit(0)
        trained = load_trained(run.path)
        pipeline = Pipeline(trained.preparation, config, accelerator.device)
        network = trained.on(accelerator.device)
        validation, test = (
            predict_probabilities(network, pipeline, part.images) for part in (data.validation, data.test)
        )
        cifar10.report(run, data, test, validation)
    return run.path


def fit(
    config: Config,
    pretrained: Pretrained,
    data: cifar10.Data,
    run: Run,
    accelerator: Accelerator,
    watch: Watch | None = None,
) -> None:
    """Train on the labels that the options allow, first the head, then all layers; for arguments, see `run_loop`."""
    labelled, passes = with_labels(data.train, config.label_share, config.seed)
    from_scratch = config.backbone == NONE
    say(f"{len(labelled):,} labelled pictures, {config.precision}, backbone {config.backbone}")
    run_loop(
        config,
        pretrained,
        dataclasses.replace(data, train=labelled),
        run,
        accelerator,
        passes=passes,
        head_epochs=0 if from_scratch else config.head_epochs,
        layer_decay=1.0 if from_scratch else config.layer_decay,
        watch=watch,
    )


def run_loop(
    config: SgdConfig,
    pretrained: Pretrained,
    data: cifar10.Data,
    run: Run,
    accelerator: Accelerator,
    *,
    passes: int = 1,
    head_epochs: int = 0,
    layer_decay: float = 1.0,
    watch: Watch | None = None,
) -> None:
    """The loop of fine-tuning and of pre-training, from the last checkpoint if there is one.

    The run then holds the network of the most accurate epoch; `load_trained` reads it.

    Args:
        config: its options.
        pretrained: the network before its first update.
        data: all of its training pictures are learned from; the validation pictures are scored after each epoch.
        run: kept by the first process.
        accelerator: as `make_accelerator` makes it.
        passes: how often an epoch goes through the training pictures.
        head_epochs: epochs in which the head learns alone.
        layer_decay: factor from the learning rate of a stage to that of the one below.
        watch: called after each epoch with its number, from 1, and its validation scores.

    Raises:
        InputError: if there are fewer pictures than a batch, or the loss is no longer finite.
    """
    network = pretrained.network
    if not run.follows:
        save_description(run.path, pretrained)
    if accelerator.num_processes > 1:
        share_statistics(network)
    average = None
    if config.ema:
        average = AveragedModel(
            network, accelerator.device, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True
        )
    pipeline = Pipeline(pretrained.preparation, config, accelerator.device)
    loader = make_loader(config, data.train, accelerator.device, passes)
    steps_per_epoch = len(loader) // config.accumulate
    optimizer = make_optimizer(network, config, layer_decay)
    updates = config.epochs * steps_per_epoch
    scheduler = LambdaLR(optimizer, lambda step: warmup_linear(step, updates, config.warmup))
    model, optimizer, loader, scheduler = accelerator.prepare(network, optimizer, loader, scheduler)
    keeper = Keeper(
        accelerator,
        config,
        run,
        model,
        optimizer,
        steps_per_epoch=steps_per_epoch,
        batch_size=config.batch_size,
        unit="pictures",
        metric="accuracy",
        higher_is_better=True,
        scheduler=scheduler,
        average=average,
    )

    with keeper.working(), PeakMemory(accelerator.device) as memory:
        for epoch in range(keeper.epoch, config.epochs):
            loader.set_epoch(epoch)
            model.train()
            network.freeze(epoch < head_epochs)
            for batch in keeper.remaining(loader):
                with accelerator.accumulate(model):
                    logits = model(pipeline.augmented(batch.images, batch.draws))
                    loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
                    accelerator.backward(loss)
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
                    if average is not None and accelerator.sync_gradients:
                        average.update_parameters(network)
                keeper.after_batch(batch_sums(loss, logits, batch.labels))
            trained = scores(keeper.train_sums())
            scored = network if average is None else average.module
            validation = validate(scored, pipeline, data.validation, accelerator)
            keeper.after_epoch(trained, validation)
            if watch is not None:
                watch(epoch + 1, validation)
    keeper.record_cost()
    run.update("cost", training_memory_bytes=memory.bytes)


def make_loader(config: SgdConfig, train: Split, device: torch.device, passes: int) -> DataLoader:
    """Micro-batches of an epoch, with the draws of their augmentation.

    Raises:
        InputError: if there are fewer pictures than a batch.
    """
    loader = epoch_loader(
        Pictures(train, device),
        config.batch_size,
        seed=config.seed,
        accumulate=config.accumulate,
        passes=passes,
        sampler=DrawSampler,
    )
    if len(loader) < config.accumulate:
        raise InputError(f"{len(train) * passes} pictures make no batch of {config.batch_size}; lower --batch-size")
    return loader


def make_optimizer(network: Network, config: SgdConfig, layer_decay: float) -> torch.optim.Optimizer:
    """SGD with Nesterov's momentum; the head learns fastest, and each stage slower than the one above by a factor."""
    stages = len(network.resnet.encoder.stages)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, param in network.named_parameters():
        groups.setdefault((levels_below_head(name, stages), param.ndim > 1), []).append(param)
    return torch.optim.SGD(
        [
            {
                "params": params,
                "lr": config.learning_rate * layer_decay**below,
                "weight_decay": config.weight_decay if decays else 0.0,
            }
            for (below, decays), params in groups.items()
        ],
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        fused=True,
    )


def batch_sums(
    loss: Float[Tensor, ""], logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, " 3"]:
    """Sums over a batch: losses, right answers, pictures. `loss` is the mean over the batch."""
    count = torch.full_like(loss, len(labels))
    return torch.stack([loss * count, (logits.argmax(1) == labels).sum().to(loss), count])


def scores(sums: list[float]) -> dict[str, float]:
    """`loss` (nats) and `accuracy`, from sums over pictures."""
    loss, correct, count = sums
    return {"loss": loss / count, "accuracy": correct / count}


@torch.inference_mode()
def validate(network: nn.Module, pipeline: Pipeline, part: Split, accelerator: Accelerator) -> dict[str, float]:
    """Scores in the number format of the training; of n processes each scores every n-th picture."""
    own = slice(accelerator.process_index, None, accelerator.num_processes)
    sums = torch.zeros(3, device=accelerator.device)
    network.eval()
    chunks = (torch.from_numpy(array[own].copy()).split(PREDICTED_AT_ONCE) for array in (part.images, part.labels))
    for images, labels in zip(*chunks, strict=True):
        labels = labels.to(accelerator.device)
        with accelerator.autocast():
            logits = network(pipeline.plain(images.to(accelerator.device))).float()
        sums += batch_sums(F.cross_entropy(logits, labels), logits, labels)
    return scores(accelerator.reduce(sums, "sum").tolist())


@torch.inference_mode()
def predict_probabilities(
    network: Network, pipeline: Pipeline, images: UInt8[np.ndarray, "n height width 3"]
) -> Float[np.ndarray, "n classes"]:
    """Of each class, for each picture; in float32, whatever the number format of the training."""
    network.eval()
    device = next(network.parameters()).device
    chunks = torch.from_numpy(images).split(PREDICTED_AT_ONCE)
    return np.concatenate([network(pipeline.plain(chunk.to(device))).softmax(1).cpu().numpy() for chunk in chunks])
