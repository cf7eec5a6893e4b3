"""A finished run, applied to other reviews."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dl_shared.data.corpus import read_text
from dl_shared.data.reviews import CLASSES, clean
from dl_shared.errors import InputError
from dl_shared.runs import read_config
from dl_shared.tasks import imdb
from lightning_projects.checkpoints import load_checkpoint
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import load_reviews
from lightning_projects.imdb.model import load_description
from lightning_projects.imdb.options import PredictOptions
from lightning_projects.imdb.tokens import spans, special_tokens
from lightning_projects.imdb.train import Predictor, restore
from lightning_projects.imdb.words import preprocess

SHOWN = 60  # letters of a review, in a row of the answer


def evaluate(options: Any) -> dict[str, Any]:
    """Score a run on the test part of other data; kept under RUN/evaluations/."""
    run = Path(options.run)
    predictor = load_predictor(run)
    data = load_reviews(predictor.config, options.data)
    return imdb.evaluate(run, data, predictor(data.test.texts, keep=True))


def predict(options: PredictOptions) -> list[dict[str, Any]]:
    """One row for each review, in the order given: arguments first, then files.

    A review longer than the model reads is cut as in training; `unread` says how many tokens were left out.

    Raises:
        InputError: if a review is empty, or a file cannot be read.
    """
    given = read_given(options)
    predictor = load_predictor(Path(options.run))
    texts = as_in_training([text for _, text in given], predictor.config)
    before, after = special_tokens(predictor.tokenizer)
    room = predictor.config.max_length - len(before) - len(after)
    return [
        {
            "review": name,
            "predicted": CLASSES[int(row.argmax())],
            "confidence": float(row.max()),
            **{f"p({label})": float(value) for label, value in zip(CLASSES, row, strict=True)},
            "unread": max(0, len(spans(predictor.tokenizer, text)[0]) - room),
        }
        for (name, _), text, row in zip(given, texts, predictor(texts), strict=True)
    ]


def read_given(options: PredictOptions) -> list[tuple[str, str]]:
    """What the user gave: a name to show, and the text.

    Raises:
        InputError: naming the review that is empty, or the file that cannot be read.
    """
    given: list[tuple[str, str]] = []
    for review in options.reviews:
        if review == "-":
            given += [(_shortened(line), line) for line in _lines_of_stdin()]
        else:
            given.append((_shortened(review), os.fsencode(review).decode("utf-8", "replace")))
    given += [(str(file), read_text(file)) for file in options.files]
    for number, (name, text) in enumerate(given, start=1):
        if not clean(text):
            raise InputError(f"review {number} ({name or 'no letters'}) is empty; leave it out")
    return given


def _lines_of_stdin() -> list[str]:
    try:
        text = sys.stdin.buffer.read().decode("utf-8")  # as bytes, because a locale may let anything pass
    except UnicodeDecodeError as error:
        raise InputError(f"stdin is not UTF-8 (byte 0x{error.object[error.start]:02x}); convert it first") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("stdin has no review; give one in each line")
    return lines


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
    path = run / "checkpoints" / "best.ckpt"
    if not path.exists():
        raise InputError(f"{run} has no checkpoint yet; it writes the first after one epoch")
    network, tokenizer = load_description(run / "model", **options)
    restore(network, load_checkpoint(path)["state_dict"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Predictor(config, network.to(device), tokenizer)


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 3] + "..."
