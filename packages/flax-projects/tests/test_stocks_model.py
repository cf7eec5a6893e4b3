"""The network: what it starts from, what it may look at, and that its quantiles are quantiles."""

from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.stocks.config import Config
from flax_projects.stocks.model import Forecaster, ReversibleNorm, ascending_quantiles, softplus
from flax_projects.stocks.step import pinball_loss

LOOKBACK, HORIZON, FEATURES = 10, 4, 3
KINDS = [(normalization, positions) for normalization in ("revin", "returns") for positions in ("rotary", "learned")]


def make(normalization="revin", positions="rotary", *, untrained=False, **options):
    """A small network; layers that begin with zeros are given noise unless it shall be `untrained`."""
    sizes = {"lookback": LOOKBACK, "horizon": HORIZON, "width": 8, "heads": 2, "dropout": 0.0}
    config = Config(**sizes | {"normalization": normalization, "positions": positions} | options)
    model = Forecaster(config, features=FEATURES, return_feature=1, rngs=nnx.Rngs(0))
    if not untrained:
        begin_as_nothing = [
            model.head,
            *(part.out for block in model.blocks for part in (block.attention, block.perceptron)),
        ]
        for number, layer in enumerate(begin_as_nothing):
            assert not layer.kernel[...].any()
            layer.kernel[...] = 0.3 * jax.random.normal(jax.random.key(number), layer.kernel.shape)
    return model


def windows(n=5, seed=0):
    return jax.random.normal(jax.random.key(seed), (n, LOOKBACK, FEATURES))


every_day = jax.jit(lambda model, inputs: model(inputs))
last_day = jax.jit(lambda model, inputs: model.forecast(inputs))


@pytest.mark.parametrize(("normalization", "positions"), KINDS)
def test_a_later_day_of_the_window_changes_no_earlier_forecast(normalization, positions):
    model, inputs = make(normalization, positions), windows()
    before = every_day(model, inputs)
    for day in range(LOOKBACK):
        after = every_day(model, inputs.at[:, day].add(5.0))
        moved = np.asarray(jnp.abs(after - before).max(axis=(0, 2, 3)))
        np.testing.assert_allclose(moved[:day], 0, atol=1e-6)
        assert (moved[day:] > 1e-3).all(), "every day from the one changed on does look at it"


@pytest.mark.parametrize(("normalization", "positions"), KINDS)
def test_the_last_of_all_forecasts_is_the_forecast(normalization, positions):
    model, inputs = make(normalization, positions), windows()
    assert every_day(model, inputs).shape == (5, LOOKBACK, HORIZON, len(LEVELS))
    np.testing.assert_allclose(last_day(model, inputs), every_day(model, inputs)[:, -1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("normalization", "positions"), KINDS)
def test_quantiles_ascend_and_the_order_of_days_matters(normalization, positions):
    model, inputs = make(normalization, positions), windows(50)
    quantiles = np.asarray(every_day(model, inputs))
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    turned = last_day(model, inputs[:, ::-1])
    assert np.abs(np.asarray(turned) - quantiles[:, -1]).max() > 0.01


def test_untrained_it_is_persistence_with_the_quantiles_of_a_normal_distribution():
    quantiles = np.asarray(every_day(make("returns", untrained=True), windows()))
    normal = [NormalDist().inv_cdf(level) for level in LEVELS]
    np.testing.assert_allclose(quantiles, np.broadcast_to(normal, quantiles.shape), atol=1e-5)
    scaled = np.asarray(last_day(make("revin", untrained=True), windows()))
    assert not scaled[..., len(LEVELS) // 2].any()
    np.testing.assert_allclose(scaled / scaled[..., -1:], np.broadcast_to(normal, scaled.shape) / normal[-1], atol=1e-5)


def test_wilder_windows_get_wider_intervals_in_the_same_proportion_as_their_statistics():
    model, inputs = make("revin", untrained=True), windows()
    wide, narrow = last_day(model, 3 * inputs), last_day(model, inputs)
    statistics = [model.norm.statistics(values).deviation[:, -1, 1] for values in (3 * inputs, inputs)]
    ratio = np.broadcast_to((statistics[0] / statistics[1])[:, None], wide.shape[:2])
    np.testing.assert_allclose(wide[..., -1] / narrow[..., -1], ratio, rtol=1e-5)
    assert (ratio > 1.5).all()


def test_statistics_by_hand():
    norm = ReversibleNorm(1)
    statistics = norm.statistics(jnp.array([[[1.0], [-3.0]]]))
    np.testing.assert_allclose(statistics.mean[0, :, 0], [1 / 11, -2 / 12], rtol=1e-6)
    variances = [11 / 11 - (1 / 11) ** 2, (10 + 1 + 9) / 12 - (2 / 12) ** 2]
    np.testing.assert_allclose(statistics.deviation[0, :, 0], np.sqrt(variances), rtol=1e-6)


def test_a_long_window_is_brought_to_mean_0_and_deviation_1():
    inputs = 5 + 3 * jax.random.normal(jax.random.key(0), (2, 5000, 2))
    norm = ReversibleNorm(2)
    standard = norm.normalize(inputs, norm.statistics(inputs))[:, 1000:]
    np.testing.assert_allclose(standard.mean(axis=1), 0, atol=0.06)
    np.testing.assert_allclose(standard.std(axis=1), 1, atol=0.06)


def test_reversing_undoes_the_normalization_of_differences_exactly():
    norm, inputs = ReversibleNorm(FEATURES), windows()
    norm.log_gain[...] = jnp.array([0.3, -1.0, 2.0])
    norm.bias[...] = jnp.array([1.0, 2.0, 3.0])
    statistics = norm.statistics(inputs)
    same_day = jax.tree.map(lambda array: jnp.broadcast_to(array[:, -1:], array.shape), statistics)
    normalized = norm.normalize(inputs, same_day)
    for feature in range(FEATURES):
        differences = normalized[:, 1:, feature] - normalized[:, :-1, feature]
        scale = norm.reverse_scale(same_day, feature)[:, 1:]
        expected = inputs[:, 1:, feature] - inputs[:, :-1, feature]
        np.testing.assert_allclose(differences * scale, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("normalization", "positions"), KINDS)
def test_every_parameter_gets_a_gradient(normalization, positions):
    model, inputs = make(normalization, positions), windows(20)
    targets = jax.random.normal(jax.random.key(3), (20, LOOKBACK, HORIZON))

    def loss(model):
        return pinball_loss(model(inputs), targets, jnp.ones((20, LOOKBACK), bool))

    grads = nnx.to_flat_state(nnx.jit(nnx.grad(loss))(model))
    assert len(grads) > 20
    for path, value in grads:
        assert np.isfinite(value[...]).all(), path
        assert np.abs(value[...]).max() > 1e-7, path


def test_bfloat16_stays_close_and_returns_float32():
    inputs = windows()
    exact, rough = last_day(make(), inputs), last_day(make(precision="bf16"), inputs)
    assert rough.dtype == jnp.float32
    np.testing.assert_allclose(rough, exact, atol=0.1)
    assert np.abs(rough - exact).max() > 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-200, 200, width=32, allow_subnormal=False), min_size=len(LEVELS), max_size=len(LEVELS)))
def test_no_output_makes_quantiles_cross(outputs):
    quantiles = np.asarray(ascending_quantiles(jnp.array(outputs, jnp.float32)))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles) >= 0).all()
    assert quantiles[len(LEVELS) // 2] == np.float32(outputs[len(LEVELS) // 2])


def test_softplus_and_its_slope():
    z = jnp.linspace(-12.0, 60.0, 100)
    np.testing.assert_allclose(softplus(z), nnx.softplus(z), rtol=2e-2, atol=1e-6)
    np.testing.assert_allclose(softplus(z[z > -3]), nnx.softplus(z[z > -3]), rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(jax.grad(softplus))(z), nnx.sigmoid(z), rtol=1e-3, atol=1e-6)
    assert float(jax.grad(softplus)(jnp.float32(0.0))) == 0.5
