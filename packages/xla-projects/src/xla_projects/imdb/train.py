"""Fine-tune a transformer on packed reviews with PyTorch/XLA: the run, then the loop, then what the loop calls."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dl_shared.data.encoding import encode
from dl_shared.data.reviews import Reviews
from dl_shared.data.tokens import Tokens
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.schedules import warmup_linear
from dl_shared.tasks import imdb
from xla_projects import checkpoints
from xla_projects.device import Device, start_device
from xla_projects.imdb.config import Config
from xla_projects.imdb.data import Batches, Shapes, load_reviews
from xla_projects.imdb.judge import Judge, scores, validate
from xla_projects.imdb.model import Network, Tokenizer, load_description, load_pretrained, save_description
from xla_projects.imdb.optimizer import freeze, parameter_groups
from xla_projects.keeper import Keeper
from xla_projects.optimizer import make_adamw, set_rates
from xla_projects.processes import start_run

PROJECT = "xla-imdb"
Watch = Callable[[int, dict[str, float]], None]


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, report; returns the run directory. Hosts other than the first end here.

    Args:
        config: of the run.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, model, device or the run to resume cannot be used.
    """
    device = start_device(config)
    with start_run(
        device, PROJECT, config, task="imdb", framework="xla", primary="f1", runs_dir=runs_dir, resume=resume
    ) as run:
        data = load_reviews(config)
        imdb.record_data(run, data)
        network, tokenizer = load_network(config, data, run)
        parts = make_batches(config, data, tokenizer, device)
        judge = fit(config, network, parts, run, device)
        validation, test = judge(parts.validation), judge(parts.test)
        if run.follows:
            raise SystemExit(0)
        imdb.report(run, data, test, validation)
    return run.path


class Parts(NamedTuple):
    """The steps of each part of the data."""

    train: Batches
    validation: Batches
    test: Batches


def fit(config: Config, network: Network, parts: Parts, run: Run, device: Device, watch: Watch | None = None) -> Judge:
    """Train, from the last checkpoint if there is one; returns the judge with the network of the best epoch.

    Args:
        config: of the run.
        network: before its first update, on the host; it is moved to the device.
        parts: the training part is learned from, and the validation part is scored after each epoch.
        run: keeps checkpoints and scores.
        device: that trains.
        watch: called after each epoch with its number, from 1, and its validation scores.

    Raises:
        InputError: if the loss is no longer finite.
    """
    batches, total_steps = parts.train, config.epochs * parts.train.steps
    freeze(network, config.frozen)
    network = device.to(network)
    groups, peaks = parameter_groups(network, config)
    optimizer = make_adamw(device, groups)
    train_step = make_train_step(network, optimizer, device, clip=config.clip, reviews=batches.reviews_per_step)
    judge = Judge(network, device)
    keeper = Keeper(
        device,
        config,
        run,
        network,
        optimizer,
        steps_per_epoch=batches.steps,
        batch_size=round(batches.reviews_per_step),
        unit="reviews",
        metric="f1",
        higher_is_better=True,
        sums=5,
    )

    with keeper.working():
        for epoch in range(keeper.epoch, config.epochs):
            network.train()
            for step in keeper.remaining(epoch):
                batch, _ = batches.batch(epoch, step)
                rates = peaks * warmup_linear(epoch * batches.steps + step, total_steps, config.warmup)
                inputs = [device.put(array, split=True) for array in batch]
                keeper.after_step(train_step(keeper.sums, device.put(rates), *inputs))
            trained = scores(keeper.train_sums())
            validation = validate(judge, parts.validation)
            keeper.after_epoch(trained, validation)
            if watch is not None:
                watch(epoch + 1, validation)

    keeper.record_cost()
    rate = keeper.position.step * batches.reviews_per_step / keeper.position.train_seconds
    run.update("cost", examples_per_second=rate, padding=batches.padding)
    best, _ = checkpoints.load(keeper.best)
    checkpoints.load_weights(device, keeper.best, network, best["model"])
    return judge


def make_train_step(
    network: Network, optimizer: torch.optim.Optimizer, device: Device, *, clip: float, reviews: float
) -> Callable[..., Float[Tensor, " 5"]]:
    """One update of the network, as one graph for each shape of rows.

    Args:
        network: on the device, in training mode.
        optimizer: of `make_adamw`.
        device: that trains.
        clip: largest norm of the gradient; 0 does not clip.
        reviews: of a step, on average; the loss is divided by it, so that each review weighs the same in any step.
    """
    params = [param for group in optimizer.param_groups for param in group["params"]]

    def train_step(
        sums: Float[Tensor, " 5"],
        rates: Float[Tensor, " groups"],
        input_ids: Int[Tensor, "rows length"],
        segments: Int[Tensor, "rows length"],
        positions: Int[Tensor, "rows length"],
        starts: Int[Tensor, "rows places"],
        labels: Int[Tensor, "rows places"],
        weights: Float[Tensor, "rows places"],
    ) -> Float[Tensor, " 5"]:
        set_rates(optimizer, rates)
        optimizer.zero_grad()
        with device.autocast():
            logits = network(input_ids, segments, positions, starts)
        logits, labels, weights = logits.float().flatten(0, 1), labels.flatten(), weights.flatten()
        losses = F.cross_entropy(logits, labels, reduction="none") * weights
        (losses.sum() / reviews).backward()
        if clip:
            nn.utils.clip_grad_norm_(params, clip)
        optimizer.step()
        return sums + batch_sums(losses.detach(), logits.detach(), labels, weights)

    return device.compiled(train_step)


def batch_sums(
    losses: Float[Tensor, " reviews"],
    logits: Float[Tensor, "reviews 2"],
    labels: Int[Tensor, " reviews"],
    weights: Float[Tensor, " reviews"],
) -> Float[Tensor, " 5"]:
    """Losses; true positives, false positives, false negatives, true negatives; weight 0 leaves a place out."""
    predicted, actual = logits.argmax(1).bool(), labels.bool()
    kinds = torch.stack([predicted & actual, predicted & ~actual, ~predicted & actual, ~predicted & ~actual])
    return torch.cat([losses.sum().reshape(1), (kinds * weights).sum(1)])


def load_network(config: Config, data: imdb.Data, run: Run) -> tuple[Network, Tokenizer]:
    """The network before its first update and its tokenizer; writes their description into the run.

    Raises:
        InputError: if they cannot be used.
    """
    if run.resumed and (run.checkpoints / "last.safetensors").exists():
        return load_description(run.path, config.pooling)  # its checkpoint has all weights; the model may be gone
    network, tokenizer = load_pretrained(config, data.train.texts)
    if not run.follows:
        save_description(run.path, network, tokenizer)
    return network, tokenizer


def make_batches(config: Config, data: imdb.Data, tokenizer: Tokenizer, device: Device) -> Parts:
    """All reviews as rows, in shapes chosen for the training part; reports their number and the share of padding."""

    def tokens_of(part: Reviews) -> Tokens:
        return encode(tokenizer, part.texts, max_length=config.max_length, truncation=config.truncation, keep=True)

    parts = (data.train, data.validation, data.test)
    tokens = [tokens_of(part) for part in parts]
    lengths = tokens[0].lengths
    shapes = Shapes.choose(lengths, config, longest=max(int(part.lengths.max()) for part in tokens))
    made = Parts(
        *(
            Batches(
                own,
                part.labels,
                shapes,
                pad_id=int(tokenizer.pad_token_id),  # type: ignore[arg-type]
                seed=config.seed,
                reviews=reviews,
                devices=device.count,
            )
            for own, part, reviews in zip(tokens, parts, (config.batch_size, None, None), strict=True)
        )
    )
    say(
        f"{len(lengths):,} training reviews of {lengths.mean():.0f} tokens, {(lengths == config.max_length).mean():.0%}"
        f" of them cut to {config.max_length}; {made.train.steps} steps an epoch, in rows of"
        f" {', '.join(map(str, shapes.row_lengths))} tokens; {made.train.padding:.1%} of what is computed is padding"
    )
    return made
