"""Train on reversed sequences: the step, then the loop around it."""

import dataclasses
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dl_architectures import checkpoints
from dl_architectures.devices import describe_device, find_device
from dl_architectures.seq2seq.batches import (
    Batch,
    Vocabulary,
    by_length,
    draw_forced,
    epoch_batches,
    forcing_probability,
    make_batch,
)
from dl_architectures.seq2seq.config import Config
from dl_architectures.seq2seq.model import PAD_ID, Seq2Seq
from dl_architectures.seq2seq.predict import attention_examples, load_model, predict_sequences
from dl_shared.data.reversal import Sequences
from dl_shared.errors import InputError
from dl_shared.progress import progress
from dl_shared.runs import Run
from dl_shared.tasks import reversal

CHECKPOINT_STEPS = 100  # a kill costs no more work than this


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, and report; returns the run directory."""
    with Run.start(
        "dl-seq2seq",
        config,
        task="seq2seq",
        framework="pytorch",
        primary="exact_match",
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        device = find_device(config.device, threads=config.threads)
        data = reversal.load(
            config.data,
            seed=config.seed,
            symbols=config.symbols,
            lengths=(config.min_length, config.max_length),
            train_size=config.train_size,
            test_size=config.test_size,
        )
        reversal.record_data(run, data)
        model, vocabulary = fit(config, data, run, device)
        answers, _ = predict_sequences(model, vocabulary, data.test)
        longer = {n: predict_sequences(model, vocabulary, sources)[0] for n, sources in data.longer.items()}
        reversal.report(run, data, answers, longer, attention_examples(model, vocabulary, data))
    return run.path


def token_loss(logits: Float[Tensor, "batch target vocab"], labels: Int[Tensor, "batch target"]) -> Float[Tensor, ""]:
    """Cross entropy summed over the real target positions, in nats."""
    return F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=PAD_ID, reduction="sum")


def train_step(
    model: Seq2Seq,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    forced: Bool[Tensor, "batch target"] | None,
    config: Config,
) -> Float[Tensor, ""]:
    """One update; returns the loss summed over the batch's target positions."""
    with torch.autocast(batch.source.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        loss = token_loss(model(batch.source, batch.source_lengths, batch.inputs, forced), batch.labels)
    optimizer.zero_grad()
    (loss / batch.tokens).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()
    return loss.detach()


def learning_rate(config: Config, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to zero at the last step."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    return config.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2


@dataclasses.dataclass
class Position:
    """Where a training stands: all that a checkpoint holds beside weights and optimizer."""

    step: int = 0
    train_seconds: float = 0.0
    loss_sum: float = 0.0
    """Of the epoch so far, in nats."""
    tokens: int = 0
    """Target positions of the epoch so far."""
    best_exact: float = -1.0
    best_loss: float = math.inf


class Training:
    """A training in progress, which can be saved after any step and taken up from there, bit for bit."""

    def __init__(self, config: Config, data: reversal.Data, run: Run, device: torch.device) -> None:
        torch.manual_seed(config.seed)  # the initial weights; whatever is drawn later is a function of (seed, step)
        self.config, self.data, self.run, self.device = config, data, run, device
        self.vocabulary = Vocabulary(data.symbols)
        self.model = Seq2Seq(config.model(symbols=len(data.symbols))).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), weight_decay=config.weight_decay, fused=True)
        self.ids = self.vocabulary.encode(data.train)
        self.epoch_steps = math.ceil(len(self.ids) / config.batch_size)
        self.steps = config.epochs * self.epoch_steps
        self.last, self.best = run.checkpoints / "last.safetensors", run.checkpoints / "best.safetensors"
        self.at = Position()
        self.clock = time.perf_counter()
        if self.last.exists():
            self.restore()
        if run.resumed:
            run.rewind(self.at.step)

    def restore(self) -> None:
        """Go back to the last checkpoint."""
        tensors, values = checkpoints.load(self.last)
        checkpoints.restore(self.last, tensors, self.model, self.optimizer)
        try:
            self.at = Position(**values)
        except TypeError as error:
            raise InputError(f"{self.last} is damaged: {error}") from None

    def save(self) -> None:
        """Write the checkpoint to go on from."""
        now = time.perf_counter()
        self.at.train_seconds += now - self.clock
        self.clock = now
        checkpoints.save(self.last, vars(self.at), self.model, self.optimizer)

    def train_epoch(self, epoch: int) -> None:
        """The steps of one epoch that are still to be made."""
        config, done = self.config, self.at.step - epoch * self.epoch_steps
        batches = epoch_batches(self.data.train.lengths, config.batch_size, seed=config.seed, epoch=epoch)
        label = f"epoch {epoch + 1}/{config.epochs}"
        with progress(len(self.ids), label, unit="sequences", done=done * config.batch_size) as bar:
            for rows in batches[done:]:
                if self.run.stop_requested:
                    self.save()
                    self.run.interrupt()
                self.step(rows)
                if self.at.step % CHECKPOINT_STEPS == 0 and self.at.step % self.epoch_steps:
                    self.save()  # an epoch's last step is saved with its validation, or resuming would skip that
                bar.advance(len(rows), loss=self.at.loss_sum / self.at.tokens)

    def step(self, rows: Int[np.ndarray, " rows"]) -> None:
        """One update on these rows of the training data."""
        config, at = self.config, self.at
        batch = make_batch(self.ids[rows], self.device)
        probability = self.forcing(at.step)
        forced = draw_forced(batch.inputs.shape, probability, seed=config.seed, step=at.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, at.step, self.steps)
        given = None if forced is None else torch.from_numpy(forced).to(self.device)
        at.loss_sum += train_step(self.model, self.optimizer, batch, given, config).item()
        if not math.isfinite(at.loss_sum):
            raise InputError("the loss is not finite any more; take a lower --learning-rate")
        at.tokens += batch.tokens
        at.step += 1

    def forcing(self, step: int) -> float:
        """How likely a true symbol is given at this step."""
        config = self.config
        return forcing_probability(
            config.teacher_forcing, step=step, steps=self.steps, floor=config.teacher_forcing_floor
        )

    def finish_epoch(self, epoch: int) -> None:
        """Validate, log, keep the model if it is the best, and start the sums of the next epoch."""
        at, run = self.at, self.run
        loss, exact = validate(self.model, self.vocabulary, self.data.validation)
        train_loss = at.loss_sum / at.tokens
        run.log(
            step=at.step, epoch=epoch + 1, split="train", loss=train_loss, teacher_forcing=self.forcing(at.step - 1)
        )
        run.log(step=at.step, epoch=epoch + 1, split="validation", loss=loss, exact_match=exact)
        if (exact, -loss) > (at.best_exact, -at.best_loss):
            at.best_exact, at.best_loss = exact, loss
            described = {"model": dataclasses.asdict(self.model.config), "symbols": self.vocabulary.symbols}
            checkpoints.save(self.best, described, self.model)
        at.loss_sum, at.tokens = 0.0, 0
        self.save()


def fit(config: Config, data: reversal.Data, run: Run, device: torch.device) -> tuple[Seq2Seq, Vocabulary]:
    """Train to the end, from the last checkpoint if there is one; returns the model of the best epoch."""
    training = Training(config, data, run, device)
    at = training.at
    with run.stopping_gracefully():
        for epoch in range(at.step // training.epoch_steps, config.epochs):
            training.train_epoch(epoch)
            training.finish_epoch(epoch)
        if run.stop_requested:
            run.interrupt()
    run.update("metrics", validation={"exact_match": at.best_exact, "loss": at.best_loss})
    run.update(
        "cost",
        train_seconds=at.train_seconds,
        examples_per_second=config.epochs * len(data.train) / at.train_seconds,
        parameters=sum(param.numel() for param in training.model.parameters()),
        device=describe_device(device),
        precision=config.precision,
    )
    return load_model(run.path, device)


@torch.inference_mode()
def validate(model: Seq2Seq, vocabulary: Vocabulary, sequences: Sequences) -> tuple[float, float]:
    """Loss per target position with the true symbols given, and exact match with the model on its own."""
    model.eval()
    ids = vocabulary.encode(sequences)
    device = next(model.parameters()).device
    loss_sum, tokens = 0.0, 0
    for rows in by_length(sequences.lengths):
        batch = make_batch(ids[rows], device)
        loss_sum += token_loss(model(batch.source, batch.source_lengths, batch.inputs), batch.labels).item()
        tokens += batch.tokens
    answers, _ = predict_sequences(model, vocabulary, sequences)
    model.train()
    return loss_sum / tokens, float(reversal.is_exact(sequences, answers).mean())
