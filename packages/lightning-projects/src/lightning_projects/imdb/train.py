"""The run around the training: data, network, one test at the end."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from dl_shared.data.encoding import encode
from dl_shared.data.tokens import Tokens, length_batches, pad, padding_share, sorted_batches
from dl_shared.errors import InputError
from dl_shared.progress import progress, say
from dl_shared.runs import Run
from dl_shared.tasks import imdb
from lightning_projects.checkpoints import fill_in, newest_first
from lightning_projects.fitting import fit
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import EVALUATION_TOKENS, ImdbData, load_reviews
from lightning_projects.imdb.model import (
    Tokenizer,
    count_layers,
    load_description,
    load_pretrained,
    longest_input,
    save_description,
)
from lightning_projects.imdb.module import Classifier
from lightning_projects.imdb.optimizer import freeze
from lightning_projects.processes import start_run

PROJECT = "lightning-imdb"
MONITOR = "validation/f1"
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, report; returns the run directory. A process that follows another ends here.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, model, device or the run to resume cannot be used.
    """
    with start_run(
        PROJECT, config, task="imdb", framework="lightning", primary="f1", runs_dir=runs_dir, resume=resume
    ) as run:
        data = load_reviews(config)
        imdb.record_data(run, data)
        predictor = fit_predictor(config, data, run)
        if run.follows:  # what is left is for one process
            raise SystemExit(0)
        validation, test = (predictor(part.texts, keep=True) for part in (data.validation, data.test))
        imdb.report(run, data, test, validation)
    return run.path


class Predictor:
    """A trained network with its tokenizer, as a function from texts to probabilities.

    Args:
        config: of the run.
        network: with its weights, on its device.
        tokenizer: of the model.
    """

    def __init__(self, config: Config, network: nn.Module, tokenizer: Tokenizer) -> None:
        self.config, self.network, self.tokenizer = config, network.eval(), tokenizer
        self.device = next(network.parameters()).device

    def __call__(self, texts: Sequence[str], *, keep: bool = False) -> Float[np.ndarray, "texts 2"]:
        """Probabilities of negative and positive for each text, which is cleaned and preprocessed already."""
        lengths = {"max_length": self.config.max_length, "truncation": self.config.truncation}
        return self.of_tokens(encode(self.tokenizer, texts, keep=keep, **lengths))  # type: ignore[arg-type]

    def of_tokens(self, tokens: Tokens) -> Float[np.ndarray, "texts 2"]:
        """Likewise for token ids, special ones included; in the number format of the training."""
        rows = np.empty((len(tokens), 2))
        size = max(1, EVALUATION_TOKENS // self.config.max_length)
        with progress(len(tokens), "predicting", unit="reviews") as bar:
            for batch in sorted_batches(tokens.lengths, size):
                rows[batch] = self.of_batch(tokens, batch)
                bar.advance(len(batch))
        return rows

    @torch.inference_mode()
    def of_batch(self, tokens: Tokens, batch: Int[np.ndarray, " batch"]) -> Float[np.ndarray, "batch 2"]:
        """Likewise for a few texts, that go through the network together."""
        pad_id = int(self.tokenizer.pad_token_id)  # type: ignore[arg-type]
        ids, mask = (torch.from_numpy(array).to(self.device) for array in pad(tokens, batch, pad_id))
        number_format = AUTOCAST.get(self.config.precision)
        with torch.autocast(self.device.type, number_format, enabled=number_format is not None):
            logits = self.network(input_ids=ids, attention_mask=mask.long()).logits
        return logits.double().softmax(1).cpu().numpy()


def fit_predictor(config: Config, data: imdb.Data, run: Run) -> Predictor:
    """Train; returns the model of the best epoch, on the device on which it was trained."""
    description = run.path / "model"
    if run.resumed and newest_first(run.checkpoints):  # which has all weights; the model itself may be gone by now
        network, tokenizer = load_description(description)
    else:
        network, tokenizer = load_pretrained(config, data.train.texts)
    check_length(config, network)
    datamodule = ImdbData(config, data, tokenizer)
    if not run.follows:
        save_description(description, network, tokenizer)
    module = make_module(config, network, datamodule)
    describe(config, datamodule)
    best = fit(module, datamodule, config, run, monitor=MONITOR, best_weights_only=True)
    fill_in(network, best)
    return Predictor(config, network.to(module.trainer.strategy.root_device), tokenizer)


def make_module(config: Config, network: nn.Module, datamodule: ImdbData) -> Classifier:
    """The module before its first step.

    Raises:
        InputError: if nothing would be left to learn.
    """
    layers = count_layers(network)
    if config.frozen > layers + 1:
        raise InputError(
            f"the model has embeddings and {layers} layers; --frozen {config.frozen} leaves nothing to learn"
        )
    freeze(network, layers, config.frozen)
    if config.compile:
        network.compile(dynamic=True)
    return Classifier(config, network, config.epochs * datamodule.steps_per_epoch)


def check_length(config: Config, network: nn.Module) -> None:
    """Refuse more tokens than the model has positions for.

    Raises:
        InputError: saying how many it has.
    """
    if config.max_length > longest_input(network):
        raise InputError(f"the model reads {longest_input(network)} tokens; --max-length {config.max_length} asks more")


def describe(config: Config, datamodule: ImdbData) -> None:
    """Say what is trained on, and how much of it is cut away or padding."""
    lengths, size = datamodule.train_tokens.lengths, config.batch_size // config.accumulate
    padding = {
        "length": padding_share(lengths, length_batches(lengths, size, np.random.default_rng(config.seed))),
        "padded": 1 - lengths.mean() / config.max_length,
    }
    say(
        f"{len(lengths):,} training reviews of {lengths.mean():.0f} tokens, {(lengths == config.max_length).mean():.0%}"
        f" of them cut to {config.max_length}; {padding[config.batches]:.1%} of what is computed is padding"
    )
