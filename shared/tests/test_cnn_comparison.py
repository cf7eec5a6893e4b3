"""Who leads by how much, what no other beats, and who gets right what another gets wrong."""

import numpy as np
import pytest

from dl_shared.data.image_sets import Split
from dl_shared.plots.cnn_comparison import pareto_front
from dl_shared.tasks import cnn_comparison
from dl_shared.tasks.cifar10 import Data
from dl_shared.tasks.cnn_comparison import Trained

ROWS = 400


def data():
    split = Split(np.zeros((ROWS, 2, 2, 1), np.uint8), np.zeros(ROWS, np.int64))
    return Data(split, split, split, ("right", "wrong"), "made up", "x", (), None)


def trained(name, *seeds):
    """A network by the test images that each seed gets right."""
    probabilities = np.stack([np.stack([right, ~right], axis=1).astype(float) for right in seeds])
    result = {"parameters": 1, "flops": 1, "epochs": 1.0, "train_seconds": 2.0, "images_per_second": 3.0}
    return Trained("mnist", name, (result,) * len(seeds), probabilities, ([],) * len(seeds))


def rights(share, seed):
    return np.random.default_rng(seed).random(ROWS) < share


def test_a_large_lead_is_one_and_a_small_one_may_be_chance():
    ahead, behind = (trained(name, rights(share, 0)) for name, share in (("a", 0.95), ("b", 0.6)))
    found = cnn_comparison.lead(data(), [behind, ahead])
    assert (found["best"], found["second"]) == ("a", "b")
    assert found["lead_ci"][0] > 0
    assert "is the best" in cnn_comparison.describe("mnist", found)
    close = cnn_comparison.lead(data(), [trained("a", rights(0.9, 1)), trained("b", rights(0.9, 2))])
    assert close["lead_ci"][0] <= 0
    assert "might undo" in cnn_comparison.describe("mnist", close)
    assert cnn_comparison.lead(data(), [ahead]) is None


def test_the_table_has_means_over_seeds_best_first():
    rows = cnn_comparison.table(data(), [trained("b", rights(0.5, 0)), trained("a", rights(0.9, 1), rights(0.8, 2))])
    assert list(rows) == ["a", "b"]
    expected = [rights(0.9, 1).mean(), rights(0.8, 2).mean()]
    assert rows["a"]["accuracy"] == pytest.approx(np.mean(expected))
    assert rows["a"]["spread"] == pytest.approx(max(expected) - min(expected))
    assert rows["a"]["accuracy_ci"][0] < rows["a"]["accuracy"] < rows["a"]["accuracy_ci"][1]
    assert rows["a"]["seeds"] == 2


def test_shares_of_images_that_one_gets_right_and_another_wrong():
    first, second = np.arange(ROWS) < 300, np.arange(ROWS) >= 200
    names, shares = cnn_comparison.only_right(data(), [trained("a", first), trained("b", second)])
    assert names == ["a", "b"]
    np.testing.assert_allclose(shares, [[0, 0.5], [0.25, 0]])


def test_no_other_point_is_as_cheap_and_as_good():
    points = {"cheap": (1.0, 0.5), "good": (9.0, 0.9), "between": (3.0, 0.7), "beaten": (4.0, 0.7), "worse": (9.5, 0.8)}
    assert set(pareto_front(points)) == {"cheap", "between", "good"}
    assert set(pareto_front({"a": (1.0, 0.5), "same": (1.0, 0.5)})) == {"a", "same"}
