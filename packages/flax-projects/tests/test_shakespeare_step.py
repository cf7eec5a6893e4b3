"""Training steps and scoring: what is cut from the text, what is carried, what devices and streams must not change."""

import dataclasses
import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_shared.errors import InputError
from dl_shared.tasks import shakespeare
from flax_projects.devices import data_mesh
from flax_projects.shakespeare.config import MODELS, PRESETS
from flax_projects.shakespeare.step import evaluation_graph, make_model, make_score, score_text, segments
from flax_projects.shakespeare.train import Learner

SMALL = dataclasses.replace(
    PRESETS["cpu"],
    data="sample",
    layers=2,
    width=16,
    heads=2,
    context=4,
    segment=8,
    batch_size=4,
    epochs=2,
    precision="fp32",
    dropout=0.1,
    devices=1,
)


@pytest.fixture(scope="module")
def data():
    return shakespeare.load("sample", sample_lines=100)


class TestSegments:
    TEXT = jnp.arange(100)

    def cut(self, offset, number):
        return segments(self.TEXT, jnp.int32(offset), jnp.int32(number), batch_size=2, segment=5, per_stream=10)

    def test_streams_lie_one_after_the_other(self):
        np.testing.assert_array_equal(self.cut(0, 0), [range(6), range(50, 56)])

    def test_each_begins_with_what_the_last_had_to_foretell(self):
        np.testing.assert_array_equal(self.cut(0, 3)[:, -1], self.cut(0, 4)[:, 0])

    def test_the_text_is_a_ring(self):
        np.testing.assert_array_equal(self.cut(48, 0)[1], [98, 99, 0, 1, 2, 3])

    def test_an_epoch_reads_every_character_once(self):
        read = np.concatenate([self.cut(17, number)[:, 1:].ravel() for number in range(10)])
        np.testing.assert_array_equal(np.sort(read), np.arange(100))


@pytest.mark.parametrize("name", MODELS)
class TestScoring:
    def score(self, name, data, **options):
        model = make_model(dataclasses.replace(SMALL, model=name, **options), len(data.vocab))
        graph = evaluation_graph(model)
        return model, partial(make_score(graph), jax.tree.map(lambda array: array + 0.2, _state(model)))

    def test_segments_with_carried_state_equal_one_pass(self, name, data):
        model, score = self.score(name, data)
        context, ids = data.train[-10:], data.validation[:95]
        whole, _ = score(np.concatenate([context, ids])[None], model.initial_carry(1))
        for segment in (7, 24, 200):
            nats = score_text(score, model.initial_carry(1), context, ids, segment=segment)
            np.testing.assert_allclose(nats, whole[0, 9:], atol=2e-5)

    def test_streams_read_every_character_once(self, name, data):
        model, score = self.score(name, data)
        context, ids = data.train[-40:], data.validation[:93]
        one = score_text(score, model.initial_carry(1), context, ids, segment=16)
        four = score_text(score, model.initial_carry(4), context, ids, segment=16, streams=4)
        assert four.shape == one.shape == (93,)
        np.testing.assert_allclose(four[:20], one[:20], atol=1e-5)  # the first stream has the same past
        assert np.abs(four - one).mean() < 0.05  # the others a shorter one

    def test_an_unknown_character_has_a_finite_score(self, name, data):
        model, score = self.score(name, data)
        nats = score_text(score, model.initial_carry(1), data.train[:5], np.zeros(3, np.int32), segment=8)
        assert np.isfinite(nats).all()


def _state(model):
    from flax import nnx

    return nnx.state(model)


class TestLearner:
    @pytest.mark.parametrize("name", MODELS)
    def test_one_text_is_learned_by_heart(self, name, data):
        config = dataclasses.replace(
            SMALL, model=name, width=64, context=32, segment=32, epochs=300, dropout=0.0, learning_rate=5e-3, ema=0.0
        )
        small = dataclasses.replace(data, train_text=data.train_text[:260])
        learner = Learner(config, small, data_mesh("cpu", config.batch_size, 1))
        for epoch in range(config.epochs):
            learner.train_steps(epoch * learner.steps_per_epoch, (epoch + 1) * learner.steps_per_epoch)
        loss = learner.train_scores(learner.steps_per_epoch)["loss"]
        assert loss < 0.5, loss

    def test_chunks_change_nothing(self, data):
        states = []
        for ends in ([5, 10], [1, 2, 7, 10]):
            learner = Learner(SMALL, data, data_mesh("cpu", 4, 1))
            for first, last in zip([0, *ends], ends, strict=False):
                learner.train_steps(first, last)
            states.append(learner.state)
        for one, other in zip(*map(jax.tree.leaves, states), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_the_carry_ends_with_the_epoch(self, data):
        learner = Learner(SMALL, data, data_mesh("cpu", 4, 1))
        steps = learner.steps_per_epoch
        learner.train_steps(0, 2)
        used = jax.tree.map(np.array, learner.state.carry)
        assert all(np.abs(array).max() > 0 for array in jax.tree.leaves(used))
        fresh = Learner(SMALL, data, data_mesh("cpu", 4, 1))
        # The same weights at the start of an epoch, with and without something carried: the step is the same.
        learner.state = learner.state._replace(trained=jax.tree.map(jnp.copy, fresh.state.trained))
        learner.train_steps(steps, steps + 1)
        fresh.train_steps(steps, steps + 1)
        assert learner.train_scores(1)["loss"] == fresh.train_scores(1)["loss"]

    def test_a_text_shorter_than_a_step_is_refused(self, data):
        config = dataclasses.replace(SMALL, batch_size=512, segment=128)
        with pytest.raises(InputError, match="smaller --batch-size or --segment"):
            Learner(config, data, data_mesh("cpu", config.batch_size, 1))


FOUR_DEVICES = """
import dataclasses, sys
sys.path.insert(0, {folder!r})
from test_shakespeare_step import SMALL, Learner, data_mesh, shakespeare
config = dataclasses.replace(SMALL, model=sys.argv[1], devices=0)
learner = Learner(config, shakespeare.load("sample", sample_lines=100), data_mesh("cpu", 4, 0))
assert learner.mesh.size == 4
for step in range(6):
    learner.train_steps(step, step + 1)
    print(learner.train_scores(step + 1)["loss"])
"""


@pytest.mark.parametrize("name", MODELS)
def test_four_devices_equal_one(name, data):
    code = FOUR_DEVICES.format(folder=os.path.dirname(__file__))
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    four = [float(line) for line in result.stdout.split()]
    learner = Learner(dataclasses.replace(SMALL, model=name), data, data_mesh("cpu", 4, 1))
    one = []
    for step in range(6):
        learner.train_steps(step, step + 1)
        one.append(learner.train_scores(step + 1)["loss"])
    np.testing.assert_allclose(four, one, atol=1e-5)
