"""The compiled programs: chunks, ragged batches, devices, and what each step draws."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dl_shared.data.image_sets import Split
from dl_shared.tasks.cifar10 import Data
from flax_projects.cifar10.augment import augment, normalize
from flax_projects.cifar10.config import Config
from flax_projects.cifar10.step import keys_of, make_predict, predict_all
from flax_projects.cifar10.train import Learner
from flax_projects.devices import data_mesh

CONFIG = Config(
    precision="fp32", data="", epochs=2, batch_size=16, widths=(4,), chunk_steps=0, model="cnn", learning_rate=0.01
)


def few(n=40):
    images = np.random.default_rng(0).integers(0, 255, size=(n, 32, 32, 3)).astype(np.uint8)
    split = Split(images, np.arange(n) % 10)
    return Data(split, split, split, tuple("0123456789"), "", "", (), None)


@pytest.fixture(scope="module")
def compiled():
    return Learner(CONFIG, few(), data_mesh("cpu", CONFIG.batch_size))


def after(own, start, *chunks):
    """The state after steps `first` to `last` of each chunk; `start` itself is kept, because programs take theirs."""
    state = jax.tree.map(jnp.copy, start)
    for first, last in chunks:
        state = own.programs[32](state, own.images, own.labels, np.int32(first), np.int32(last))
    return state


def arrays(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def test_an_epoch_in_one_call_equals_step_by_step(compiled):
    whole, single = after(compiled, compiled.state, (2, 4)), after(compiled, compiled.state, (2, 3), (3, 4))
    for one, other in zip(arrays(whole), arrays(single), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_epoch_starts_new_sums(compiled):
    first, second = after(compiled, compiled.state, (0, 2)), after(compiled, compiled.state, (0, 2), (2, 3))
    assert float(second.loss_sum) < float(first.loss_sum)
    assert int(second.correct) <= CONFIG.batch_size


def test_each_epoch_sees_other_images_in_another_order_and_mirrors_the_other_half():
    """A program that learns nothing and hands out its inputs shows what a step is given."""
    keys = keys_of(CONFIG.seed)
    orders = [jax.random.permutation(jax.random.fold_in(keys.order, epoch), 40) for epoch in (0, 1)]
    assert not np.array_equal(*orders)
    assert sorted(orders[0].tolist()) == list(range(40))
    a, b = (
        augment(
            jax.random.fold_in(keys.augment, step),
            jnp.asarray(few().train.images),
            jnp.zeros(40, bool),
            crop=2,
            cutout=0,
        )
        for step in (0, 1)
    )
    assert not np.array_equal(a, b)


def test_predictions_for_a_ragged_last_batch_equal_those_of_the_whole():
    mean_red = jax.jit(lambda state, images: normalize(images).mean((1, 2)) + state)
    images = few(37).train.images
    whole = np.asarray(mean_red(1.0, jnp.asarray(images)))
    for batch_size in (1, 5, 16, 37, 64):
        rows = predict_all(mean_red, 1.0, images, batch_size)
        assert rows.shape == whole.shape
        np.testing.assert_allclose(rows, whole, rtol=1e-6)


def test_the_first_epochs_see_smaller_images():
    small = Learner(replace(CONFIG, small_epochs=1), few(), data_mesh("cpu", CONFIG.batch_size))
    start = jax.tree.map(jnp.copy, small.state)
    small.train_steps(0, 2)
    of_24, of_32 = (
        small.programs[side](jax.tree.map(jnp.copy, start), small.images, small.labels, np.int32(0), np.int32(2))
        for side in (24, 32)
    )
    assert float(small.state.loss_sum) == float(of_24.loss_sum) != float(of_32.loss_sum)
    small.train_steps(2, 4)
    assert np.isfinite(float(small.state.loss_sum))


def test_predictions_are_averaged_over_mirrored_and_shifted_images(compiled):
    config = replace(CONFIG, shift_test=True)
    model = nnx.merge(compiled.graph, compiled.state.trained)[0]
    model.eval()
    images = few().test.images[:4]
    inputs = normalize(jnp.asarray(images))
    padded = np.pad(np.asarray(inputs), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = {(row, column): padded[:, row : row + 32, column : column + 32] for row, column in ((0, 0), (1, 1), (2, 2))}
    forward = jax.jit(lambda inputs: model(inputs))
    both = {corner: (forward(view) + forward(view[:, :, ::-1])) / 2 for corner, view in views.items()}
    expected = both[1, 1] / 2 + both[0, 0] / 4 + both[2, 2] / 4
    predict = make_predict(nnx.graphdef(model), config, compiled.mesh)
    np.testing.assert_allclose(predict(nnx.state(model), images), expected, rtol=1e-4, atol=1e-6)


def test_training_moves_the_average_slower_than_the_weights(compiled):
    """After one step the average has gone 1 - ema of the way."""
    own, start = compiled, arrays(compiled.state.average)
    state = after(own, own.state, (0, 1))
    model = nnx.state(nnx.merge(own.graph, state.trained)[0])
    moved = 0
    for before, average, weights in zip(start, arrays(state.average), arrays(model), strict=True):
        np.testing.assert_allclose(average, before + (1 - CONFIG.ema) * (weights - before), rtol=1e-4, atol=1e-6)
        moved += int((weights != before).any())
    assert moved == len(start) - 1  # all but the whitening filters


ONE_AND_FOUR = """
import json, sys
import jax, numpy as np
from jax.sharding import AxisType
sys.path.insert(0, sys.argv[1])
from test_cifar10_step import CONFIG, few
from flax_projects.cifar10.train import Learner
results = []
for n in (1, 4):
    mesh = jax.make_mesh((n,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:n])
    own = Learner(CONFIG, few(), mesh)
    own.train_steps(0, 2)
    results.append([np.asarray(leaf) for leaf in jax.tree.leaves(own.state.average)])
    devices = len(jax.tree.leaves(own.state.average)[0].sharding.device_set)
print(json.dumps({"devices": devices, "difference": max(float(abs(a - b).max()) for a, b in zip(*results))}))
"""


def test_four_devices_equal_one():
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    here = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", ONE_AND_FOUR, here], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["devices"] == 4
    assert result["difference"] < 1e-5
