"""A finished run, applied to other reviews."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dl_shared.data.encoding import unread_tokens
from dl_shared.data.reviews import clean
from dl_shared.runs import read_config
from dl_shared.tasks import imdb
from dl_shared.tasks.imdb_judging import judge, read_given
from dl_shared.tasks.options import JudgeReviews
from lightning_projects.checkpoints import fill_in, load_best
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import load_reviews
from lightning_projects.imdb.model import load_description
from lightning_projects.imdb.train import Predictor
from lightning_projects.imdb.words import preprocess


def evaluate(options: Any) -> dict[str, Any]:
    """Score a run on the test part of other data; kept under RUN/evaluations/."""
    run = Path(options.run)
    predictor = load_predictor(run)
    data = load_reviews(predictor.config, options.data)
    return imdb.evaluate(run, data, predictor(data.test.texts, keep=True))


def predict(options: JudgeReviews) -> list[dict[str, Any]]:
    """One row for each review, in the order given: arguments first, then files.

    A review longer than the model reads is cut as in training; `unread` says how many tokens were left out.

    Raises:
        InputError: if a review is empty, or a file cannot be read.
    """
    given = read_given(options)
    predictor = load_predictor(Path(options.run))
    texts = as_in_training([text for _, text in given], predictor.config)
    max_length = predictor.config.max_length
    return judge(given, texts, predictor, lambda text: unread_tokens(predictor.tokenizer, text, max_length))


def as_in_training(texts: Sequence[str], config: Config) -> list[str]:
    """Cleaned and preprocessed like the reviews that the run has learned from."""
    return preprocess([clean(text) if config.clean else text for text in texts], config.preprocess)


def load_predictor(run: Path, **options: Any) -> Predictor:
    """The best model of a run.

    Args:
        run: its directory.
        options: for the network, such as `attn_implementation`.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged.
    """
    config = read_config(run, Config)
    best = load_best(run)
    network, tokenizer = load_description(run / "model", **options)
    fill_in(network, best)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Predictor(config, network.to(device), tokenizer)
