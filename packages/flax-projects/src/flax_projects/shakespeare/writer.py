"""A trained model that writes and scores text."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, Int

from dl_shared.data.corpus import Vocabulary
from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json
from dl_shared.progress import say
from dl_shared.runs import read_config
from dl_shared.tasks import shakespeare
from flax_projects.checkpoints import restore_best
from flax_projects.devices import data_mesh, whole
from flax_projects.shakespeare.config import Config
from flax_projects.shakespeare.decode import Sampling, beam_search, read, write
from flax_projects.shakespeare.model import LanguageModel
from flax_projects.shakespeare.step import evaluation_graph, keys_of, make_model, make_score, score_text

VOCABULARY = "vocabulary.json"
CONTEXT = 4096  # characters before a test text that are read first
PIECE = 16  # characters written in one call of the compiled program, and shown together


class Continuation(NamedTuple):
    """A generated text, without its prompt."""

    text: str
    log_probability: float
    """Under the model itself, before temperature, top-k and nucleus; in nats."""


class Writer:
    """A model with its vocabulary and weights; prompts and texts are Python strings.

    Args:
        model: of the run; its own weights are not used.
        state: the weights.
        vocab: integers of characters.
        segment: characters read in one call when a text is scored.
    """

    def __init__(self, model: LanguageModel, state: Any, vocab: Vocabulary, *, segment: int) -> None:
        self.graph = evaluation_graph(model)
        self.initial_carry = model.initial_carry
        self.state, self.vocab, self.segment = state, vocab, segment
        self._score = make_score(self.graph)
        self._read = jax.jit(self._with_model(read))
        self._write = jax.jit(self._with_model(write), static_argnames=("length", "sampling"))
        self._search = jax.jit(self._with_model(beam_search), static_argnames=("beams", "length"))

    def _with_model(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A decoding function that takes the weights where it took the model."""
        return lambda state, *args, **kwargs: function(nnx.merge(self.graph, state), *args, **kwargs)

    def stream(
        self, prompts: Sequence[str], length: int, sampling: Sampling, *, seed: int = 0
    ) -> Iterator[list[Continuation]]:
        """Pieces of the continuations as they are written: one for each prompt at a time.

        Args:
            prompts: all of one length; at least one character.
            length: characters to write.
            sampling: how they are drawn.
            seed: fixes what is drawn.
        """
        ids = self.encode(prompts)
        writing = self._read(self.state, ids, self.initial_carry(len(ids)))
        key = keys_of(seed).samples
        for start in range(0, length, PIECE):
            writing, written, log_probs = self._write(self.state, writing, length=PIECE, sampling=sampling, key=key)
            size = min(PIECE, length - start)
            yield self._decode(np.asarray(written)[:, :size], np.asarray(log_probs)[:, :size].sum(1, dtype=np.float64))

    def write(self, prompts: Sequence[str], length: int, sampling: Sampling, *, seed: int = 0) -> list[Continuation]:
        """The continuations, whole; arguments as those of `stream`."""
        pieces = zip(*self.stream(prompts, length, sampling, seed=seed), strict=True)
        return [
            Continuation("".join(text), sum(log_probs))
            for text, log_probs in (zip(*row, strict=True) for row in pieces)
        ]

    def search(self, prompts: Sequence[str], length: int, beams: int) -> list[list[Continuation]]:
        """For each prompt the continuations that beam search finds, the likeliest first.

        Args:
            prompts: all of one length; at least one character.
            length: characters to write.
            beams: kept for each prompt.
        """
        ids = self.encode(prompts)
        found = self._search(self.state, ids, self.initial_carry(len(ids)), beams=beams, length=length)
        return [self._decode(np.asarray(ids), np.asarray(log_probs)) for ids, log_probs in zip(*found, strict=True)]

    def nats(
        self, context: Int[np.ndarray, " context"], ids: Int[np.ndarray, " characters"], *, streams: int = 1
    ) -> Float[np.ndarray, " characters"]:
        """Loss of every character of a text, given all before it and the context; see `score_text`."""
        score = partial(self._score, self.state)
        return score_text(score, self.initial_carry(streams), context, ids, segment=self.segment, streams=streams)

    def test_nats(self, data: shakespeare.Data) -> Float[np.ndarray, " test_characters"]:
        """Loss of every character of the test part of any text, in the vocabulary of the run."""
        return self.nats(self.vocab.encode(data.validation_text)[-CONTEXT:], self.vocab.encode(data.test_text))

    def encode(self, prompts: Sequence[str]) -> Int[np.ndarray, "prompts time"]:
        """Integers of prompts that have one length."""
        return np.stack([self.vocab.encode(prompt) for prompt in prompts])

    def _decode(self, rows: np.ndarray, log_probs: np.ndarray) -> list[Continuation]:
        return [Continuation(self.vocab.decode(ids), float(value)) for ids, value in zip(rows, log_probs, strict=True)]


def save_vocabulary(run: Path, vocab: Vocabulary) -> None:
    """Keep it beside the weights, which mean nothing without it."""
    write_json(run / VOCABULARY, {"characters": vocab.characters})


def load_writer(run: Path) -> Writer:
    """The best model of a run.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged.
    """
    config = read_config(run, Config)
    if not (run / VOCABULARY).exists():
        raise InputError(f"{run} was stopped before it knew its vocabulary; train it first")
    try:
        vocab = Vocabulary(read_json(run / VOCABULARY)["characters"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run / VOCABULARY} is damaged ({error}); train anew") from None
    model = make_model(config, len(vocab))
    like = jax.device_put(nnx.state(model), whole(data_mesh("auto", 1, 1)))
    return Writer(model, restore_best(run, like), vocab, segment=config.segment)


def check_prompt(prompt: str, vocab: Vocabulary) -> None:
    """Say which characters of a prompt the model has never seen; it reads each as the unknown one.

    Raises:
        InputError: if it knows none of them.
    """
    unknown = sorted({character for character, id_ in zip(prompt, vocab.encode(prompt), strict=True) if id_ == 0})
    if len(unknown) == len(set(prompt)):
        raise InputError("no character of the prompt is in the text that the model learned from; give another prompt")
    if unknown:
        shown = " ".join(map(repr, unknown[:10])) + (" ..." if len(unknown) > 10 else "")
        say(f"the model has never seen {shown}; it reads an unknown character there")
