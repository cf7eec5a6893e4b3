"""Trainings of the embedded models that take seconds, on what is made on the spot, and how to end one too soon."""

import dataclasses
import itertools
from contextlib import contextmanager

import pytest

from dl_architectures.nlp.training import loop
from dl_architectures.nlp.training.language_model.config import PRESETS as LANGUAGE_MODEL_PRESETS
from dl_architectures.nlp.training.pictures.config import PRESETS as PICTURES_PRESETS
from dl_architectures.nlp.training.sentiment.config import PRESETS as SENTIMENT_PRESETS

LANGUAGE_MODEL = dataclasses.replace(
    LANGUAGE_MODEL_PRESETS["quick"], epochs=1, layers=1, chat_passes=1, log_steps=20, checkpoint_steps=8
)
PICTURES = dataclasses.replace(
    PICTURES_PRESETS["quick"],
    data="sample",
    epochs=1,
    batch_size=48,
    autoencoder_steps=12,
    judge_steps=8,
    drawn=1,
    learning_rate=3e-3,
    warmup_steps=2,
    log_steps=4,
    checkpoint_steps=3,
)
SENTIMENT = dataclasses.replace(SENTIMENT_PRESETS["quick"], data="sample")


@contextmanager
def ended_before(step):
    """Whatever is trained in the block fails before this step, counted from 0 over all that it trains."""
    numbers, plain = itertools.count(), loop._step

    def fail(*arguments, **options):
        if next(numbers) == step:
            raise RuntimeError("ended")
        return plain(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_step", fail)
        with pytest.raises(RuntimeError, match="ended"):
            yield
