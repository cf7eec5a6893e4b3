"""A finished run, applied to other reviews."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from dl_shared.cli import EvaluateOptions
from dl_shared.data.encoding import encode, unread_tokens
from dl_shared.data.reviews import clean
from dl_shared.runs import read_config
from dl_shared.tasks import imdb
from dl_shared.tasks.imdb_judging import judge, read_given
from dl_shared.tasks.options import JudgeReviews
from xla_projects import checkpoints
from xla_projects.device import Device, start_device
from xla_projects.imdb.config import Config
from xla_projects.imdb.data import Batches, Shapes, load_reviews
from xla_projects.imdb.judge import Judge
from xla_projects.imdb.model import Network, Tokenizer, load_description


def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Score a run on the test part of other data, on one device; kept under RUN/evaluations/."""
    run = Path(options.run)
    config = read_config(run, Config)
    network, tokenizer = load_trained(run, config)
    device = start_device(dataclasses.replace(config, device="auto", devices=1))
    data = load_reviews(config, options.data)
    batches = in_rows(data.test.texts, config, tokenizer, device, keep=True)
    return imdb.evaluate(run, data, Judge(device.to(network), device)(batches))


def predict(options: JudgeReviews) -> list[dict[str, Any]]:
    """One row for each review, in the order given: arguments first, then files.

    It computes on the host, without compiling. A review longer than the model reads is cut as in training; `unread`
    says how many tokens were left out.

    Raises:
        InputError: if a review is empty, or a file cannot be read.
    """
    given, run = read_given(options), Path(options.run)
    config = read_config(run, Config)
    network, tokenizer = load_trained(run, config)
    return judge(
        given,
        [clean(text) if config.clean else text for _, text in given],
        lambda texts: Judge(network, None)(in_rows(texts, config, tokenizer)),
        lambda text: unread_tokens(tokenizer, text, config.max_length),
    )


def load_trained(run: Path, config: Config) -> tuple[Network, Tokenizer]:
    """The network of a run's best epoch and its tokenizer, on the host.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    network, tokenizer = load_description(run, config.pooling)
    checkpoints.load_weights(None, path, network, parts.get("model", {}))
    return network, tokenizer


def in_rows(
    texts: Any, config: Config, tokenizer: Tokenizer, device: Device | None = None, *, keep: bool = False
) -> Batches:
    """Texts tokenised as in training, in rows whose shapes suit them; all labels are 0."""
    tokens = encode(tokenizer, texts, max_length=config.max_length, truncation=config.truncation, keep=keep)
    return Batches(
        tokens,
        np.zeros(len(texts), np.int64),
        Shapes.choose(tokens.lengths, config),
        pad_id=int(tokenizer.pad_token_id),  # type: ignore[arg-type]
        devices=1 if device is None else device.count,
    )
