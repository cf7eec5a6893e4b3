"""A model in training, and the run around it: data, training, one test at the end, samples of its writing."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import shakespeare
from flax_projects.checkpoints import Checkpoints
from flax_projects.devices import device_name, split_rows, training_mesh, whole
from flax_projects.loop import fit
from flax_projects.processes import start_run, wait_for_all
from flax_projects.shakespeare.config import Config
from flax_projects.shakespeare.decode import Sampling
from flax_projects.shakespeare.model import LanguageModel
from flax_projects.shakespeare.optimizer import make_optimizer
from flax_projects.shakespeare.step import (
    TrainState,
    evaluation_graph,
    make_model,
    make_score,
    make_train_steps,
    on_one_device,
    score_text,
)
from flax_projects.shakespeare.writer import Writer, save_vocabulary

PROJECT = "flax-shakespeare"
WARM_UP = 256  # characters that a stream reads before those it is validated on
STREAMS = 64  # of a validation
SAMPLE_LENGTH = 100  # characters of a sample, and of its prompt
BEAMS = 4  # of the samples that are searched for


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, report; returns the run directory.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    with start_run(
        PROJECT,
        config,
        task="shakespeare",
        framework="flax",
        primary="loss",
        higher_is_better=False,
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = shakespeare.load(config.data, seed=config.seed)
        shakespeare.record_data(run, data)
        writer = fit_writer(config, data, run)
        validation = writer.nats(data.train[-WARM_UP:], data.validation, streams=STREAMS)
        test = writer.test_nats(data)
        samples = continuations(writer, data, config)
        if not run.follows:
            shakespeare.report(run, data, test, samples, validation)
    wait_for_all("reported")
    return run.path


def fit_writer(config: Config, data: shakespeare.Data, run: Run) -> Writer:
    """Train; returns the best model, ready to score and to write."""
    mesh = training_mesh(config)
    say(f"{len(data.train):,} characters to learn from, {device_name(mesh)}, {config.precision}")
    if not run.follows:
        save_vocabulary(run.path, data.vocab)
    learner = Learner(config, data, mesh)
    with Checkpoints(run.checkpoints) as checkpoints:
        best = fit(learner, config, run, checkpoints, metric="loss", higher_is_better=False)
    return Writer(learner.model, on_one_device(best), data.vocab, segment=config.segment)


def continuations(writer: Writer, data: shakespeare.Data, config: Config) -> list[shakespeare.Sample]:
    """The same places of the test text continued in two ways, each beside how the text itself goes on."""
    if not config.samples or len(data.test_text) < 2 * SAMPLE_LENGTH:
        return []
    places = shakespeare.prompts(data, config.samples, SAMPLE_LENGTH, SAMPLE_LENGTH)
    prompts, sampling = [place.text for place in places], Sampling(config.sample_temperature)
    drawn = writer.write(prompts, SAMPLE_LENGTH, sampling, seed=config.seed)
    found = [texts[0] for texts in writer.search(prompts, SAMPLE_LENGTH, BEAMS)]
    ways = {f"temperature {config.sample_temperature:g}": drawn, f"beam search, {BEAMS} beams": found}
    return [
        shakespeare.Sample(place.text, written.text, way, place.reference)
        for way, texts in ways.items()
        for place, written in zip(places, texts, strict=True)
    ]


class Learner:
    """The model in training, with the text on the device: a `flax_projects.loop.Learner`.

    Raises:
        InputError: if the training text is shorter than one step.
    """

    unit = "characters"

    def __init__(self, config: Config, data: shakespeare.Data, mesh: Mesh) -> None:
        self.config, self.mesh, self.data = config, mesh, data
        self.examples_per_step = config.batch_size * config.segment
        self.steps_per_epoch = len(data.train) // self.examples_per_step
        if self.steps_per_epoch == 0:
            raise InputError(
                f"{len(data.train):,} characters to learn from are fewer than the {self.examples_per_step:,} of a step;"
                " give a smaller --batch-size or --segment, or more text"
            )
        self.total_steps = config.epochs * self.steps_per_epoch
        self.model = model = make_model(config, len(data.vocab))
        self.parameters = sum(param.size for param in jax.tree.leaves(nnx.state(model, nnx.Param)))
        self.graph, self.state = initial_state(model, config, self.total_steps, mesh)
        self.text = jax.device_put(data.train, whole(mesh))
        self.score = make_score(evaluation_graph(model))
        self._compile()

    def _compile(self) -> None:
        start = time.perf_counter()
        train_steps = make_train_steps(self.graph, self.config, steps_per_epoch=self.steps_per_epoch, mesh=self.mesh)
        self.program = train_steps.lower(self.state, self.text, np.int32(0), np.int32(1)).compile()
        self.compile_seconds = time.perf_counter() - start

    def train_steps(self, first: int, last: int) -> None:
        """Make the steps `first` to `last` (exclusive), all of one epoch."""
        self.state = self.program(self.state, self.text, np.int32(first), np.int32(last))

    def train_scores(self, steps: int) -> dict[str, float]:
        """Nats per character with dropout, over the steps of this epoch, as each was made."""
        return {"loss": float(self.state.loss_sum) / steps}

    def validation_scores(self) -> dict[str, float]:
        """Nats per character of the averaged weights, over the whole validation text."""
        nats = score_text(
            partial(self.score, on_one_device(self.state.average)),
            self.model.initial_carry(STREAMS),
            self.data.train[-WARM_UP:],
            self.data.validation,
            segment=self.config.segment,
            streams=STREAMS,
        )
        return {"loss": float(nats.mean(dtype=np.float64))}

    def best(self) -> Any:
        """The averaged weights."""
        return self.state.average


def initial_state(
    model: LanguageModel, config: Config, total_steps: int, mesh: Mesh
) -> tuple[nnx.GraphDef, TrainState]:
    """The structure of `(model, optimizer)` in training mode, and their state before the first step."""
    model.train()
    optimizer = nnx.Optimizer(model, make_optimizer(config, total_steps), wrt=nnx.Param)
    graph, trained = nnx.split((model, optimizer))
    average = jax.tree.map(jnp.copy, nnx.state(model))  # apart from `trained`, because both are donated
    state = TrainState(trained, average, (), jnp.zeros((), jnp.float32))
    state = jax.device_put(state, whole(mesh))
    return graph, state._replace(carry=jax.device_put(model.initial_carry(config.batch_size), split_rows(mesh)))
