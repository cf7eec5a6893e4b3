"""The compiled programs: members, chunks, devices, and what a batch holds."""

import json
import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from stocks_tools import small, write_prices

from dl_shared.metrics import forecasting
from dl_shared.tasks.stocks import load_data
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.devices import data_mesh
from flax_projects.loop import Learner as Protocol
from flax_projects.stocks.ensemble import make_model
from flax_projects.stocks.step import Members, make_optimizer, make_series, pinball_loss, predict_all, train_step
from flax_projects.stocks.train import Learner, all_members


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def data(folder):
    return load_data(small(folder))


def make(folder, data, chosen=None, **changes):
    config = small(folder, **changes)
    return Learner(config, data, data_mesh("cpu", config.batch_size), chosen)


@pytest.fixture(scope="module")
def together(folder, data):
    """Two members at each of two learning rates."""
    return make(folder, data, learning_rates=(1e-3, 1e-2))


@pytest.fixture
def learner(together):
    """The same one before its first step; what a test does to it is undone."""
    start, members = jax.tree.map(jnp.copy, together.state), together.members
    yield together
    together.state, together.members = start, members


def arrays(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def embedding(state):
    return np.asarray(state.trained[0]["embed"]["kernel"][...])


def test_the_learner_is_what_the_loop_trains(learner):
    assert isinstance(learner, Protocol)
    assert learner.steps_per_epoch >= 3
    assert learner.members.number.tolist() == [0, 1, 0, 1]


def test_members_trained_at_once_equal_the_same_members_trained_alone(folder, data, learner):
    learner.train_steps(0, learner.steps_per_epoch)
    chosen = all_members(learner.config)
    alone = make(folder, data, jax.tree.map(lambda array: array[3:], chosen))
    alone.train_steps(0, alone.steps_per_epoch)
    own, other = ([array[row] for array in arrays(each.state)] for each, row in ((learner, 3), (alone, 0)))
    assert len(own) == len(other) > 30
    for a, b in zip(own, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    assert np.abs(embedding(learner.state)[3] - embedding(learner.state)[2]).max() > 0.01


def test_members_differ_in_seed_or_learning_rate(learner):
    kernel = embedding(learner.state)
    np.testing.assert_array_equal(kernel[0], kernel[2])  # the same seed at another learning rate
    assert np.abs(kernel[0] - kernel[1]).max() > 0.01
    learner.train_steps(0, 2)
    kernel = embedding(learner.state)
    assert np.abs(kernel[0] - kernel[2]).max() > 1e-5


def test_an_epoch_in_one_call_equals_step_by_step(learner):
    start, steps = jax.tree.map(jnp.copy, learner.state), learner.steps_per_epoch
    learner.train_steps(0, steps)
    whole, learner.state = learner.state, start
    for step in range(steps):
        learner.train_steps(step, step + 1)
    for one, other in zip(arrays(whole), arrays(learner.state), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_epoch_starts_new_sums_and_draws_other_windows(learner):
    start, steps = jax.tree.map(jnp.copy, learner.state), learner.steps_per_epoch
    learner.train_steps(0, 1)
    first, learner.state = np.asarray(learner.state.loss_sum), start
    learner.state = learner.state._replace(loss_sum=learner.state.loss_sum + 1000.0)
    learner.train_steps(steps, steps + 1)
    second = np.asarray(learner.state.loss_sum)
    assert (second < 10).all()
    assert not np.isclose(first, second, rtol=1e-4).any()


def test_dropout_differs_between_members_and_steps(learner):
    """Three times the same seed and one other: the same masks for the same seed."""
    learner.members = Members(jnp.array([0, 0, 1, 0]), jnp.full(4, 1e-2))
    trained = jax.tree.map(lambda array: jnp.broadcast_to(array[:1], array.shape).copy(), learner.state)
    learner.state = trained
    learner.train_steps(0, learner.steps_per_epoch)
    kernel = embedding(learner.state)
    np.testing.assert_array_equal(kernel[0], kernel[1])
    assert np.abs(kernel[0] - kernel[2]).max() > 1e-6


def test_validation_chooses_the_learning_rate_and_keeps_its_members(learner):
    learner.members = learner.members._replace(learning_rate=jnp.array([1e-7, 1e-7, 1e-2, 1e-2]))
    learner.train_steps(0, learner.steps_per_epoch)
    scores = learner.validation_scores()
    assert scores["learning_rate"] == learner.config.learning_rates[1]
    assert scores.keys() >= {"loss", "skill", "coverage"}
    np.testing.assert_array_equal(learner.best()["embed"]["kernel"][...], embedding(learner.state)[2:])


def test_a_learning_rate_that_diverges_spoils_only_its_own_members(learner):
    learner.members = learner.members._replace(learning_rate=jnp.array([1e30, 1e30, 1e-2, 1e-2]))
    learner.train_steps(0, learner.steps_per_epoch)
    assert not np.isfinite(np.asarray(learner.state.loss_sum)[:2]).any()
    assert np.isfinite(learner.train_scores(learner.steps_per_epoch)["loss"])
    assert learner.validation_scores()["learning_rate"] == 1e-2


def test_one_batch_can_be_learned_by_heart(data):
    """Sixteen windows and their targets, shown again and again."""
    config = small("", width=32, dropout=0.0, weight_decay=0.0, warmup=0.0)
    make = partial(make_model, config, data.features)
    series = make_series(data.train, data.target_scale)
    rows = data.train.ends[100:500:25][:, None] + np.arange(1 - config.lookback, 1)
    batch = jax.tree.map(lambda array: array[rows], series)
    model = make(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, make_optimizer(config, 300), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        return train_step(model, optimizer, batch, learning_rate=jnp.float32(1e-2), rngs=nnx.Rngs(dropout=0))

    losses = [float(step(model, optimizer)) for _ in range(300)]
    assert losses[-1] < 0.2 * losses[0]


def test_the_loss_is_that_of_the_metrics_over_known_days_alone():
    rng = np.random.default_rng(0)
    quantiles = np.sort(rng.normal(size=(4, 5, 3, len(LEVELS))), axis=-1).astype(np.float32)
    targets, known = rng.normal(size=(4, 5, 3)).astype(np.float32), rng.random((4, 5)) < 0.5
    expected = forecasting.pinball_loss(quantiles, targets, LEVELS)[known].mean()
    arguments = jnp.asarray(quantiles), jnp.asarray(targets)
    assert float(pinball_loss(*arguments, jnp.asarray(known))) == pytest.approx(expected, rel=1e-5)
    assert float(pinball_loss(*arguments, jnp.zeros((4, 5), bool))) == 0


def test_only_the_days_of_training_windows_have_targets(data):
    series = make_series(data.train, data.target_scale)
    known = np.asarray(series.known)
    np.testing.assert_array_equal(np.flatnonzero(known), np.sort(data.train.ends))
    assert not np.asarray(series.targets)[~known].any()
    assert not known[data.validation.ends].any()
    assert not known[data.test.ends].any()
    np.testing.assert_allclose(
        np.asarray(series.targets)[data.train.ends], data.train.targets / data.target_scale, rtol=1e-5
    )
    assert np.sqrt((np.asarray(series.targets)[known] ** 2).mean()) == pytest.approx(1, rel=1e-4)


def test_predictions_for_a_ragged_last_batch_equal_those_of_the_whole():
    values = jnp.arange(40.0)[:, None]
    program = jax.jit(lambda state, values, ends: (state * values[ends][..., None])[None])
    ends = np.arange(3, 40)
    expected = 2 * np.arange(3.0, 40.0).reshape(1, -1, 1, 1)
    for batch_size in (1, 5, 16, 37, 64):
        np.testing.assert_array_equal(predict_all(program, 2.0, values, ends, batch_size), expected)


ONE_AND_FOUR = """
import json, sys
import jax, numpy as np
sys.path.insert(0, sys.argv[1])
from stocks_tools import small
from dl_shared.tasks.stocks import load_data
from flax_projects.devices import data_mesh
from flax_projects.stocks.train import Learner
losses = []
for devices in (1, 4):
    config = small(sys.argv[2], devices=devices, members=1)
    own = Learner(config, load_data(config), data_mesh("cpu", config.batch_size, config.devices))
    curve = []
    for step in range(own.steps_per_epoch):
        own.train_steps(step, step + 1)
        curve.append(own.train_scores(step + 1)["loss"])
    losses.append(curve)
    used = len(jax.tree.leaves(own.state)[0].sharding.device_set)
print(json.dumps({"devices": used, "steps": len(curve), "difference": float(np.abs(np.subtract(*losses)).max())}))
"""


def test_four_devices_equal_one(folder):
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", ONE_AND_FOUR, os.path.dirname(__file__), str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["devices"] == 4
    assert result["steps"] >= 3
    assert result["difference"] < 1e-5
