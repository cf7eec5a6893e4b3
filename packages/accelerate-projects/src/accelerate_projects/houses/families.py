"""The models that are compared: how each is fitted, and the options among which inner folds choose.

All see the same columns, prepared by the same :class:`Preprocessor`, so that only the model differs. Boosting is
LightGBM's (Ke et al. 2017): it is as fast as scikit-learn's, and saves models as text where scikit-learn pickles them.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import lightgbm
import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.svm import SVR

from accelerate_projects.houses import robust
from accelerate_projects.houses.fitted import Fitted, Kernel, Linear, Trees

Options = dict[str, float]
Features = Float[np.ndarray, "houses columns"]
LogPrices = Float[np.ndarray, " houses"]


def fit_robust(features: Features, log_prices: LogPrices, options: Options) -> Linear:
    """Linear regression with Huber's loss, by equations; see :mod:`accelerate_projects.houses.robust`."""
    return Linear(*robust.solve(features, log_prices, options["penalty"], options["threshold"], close=1e-4))


def fit_ridge(features: Features, log_prices: LogPrices, options: Options) -> Linear:
    """Hoerl and Kennard (1970)."""
    model = Ridge(alpha=options["penalty"]).fit(features, log_prices)
    return Linear(model.coef_, float(model.intercept_))


def fit_elastic_net(features: Features, log_prices: LogPrices, options: Options) -> Linear:
    """Zou and Hastie (2005); with `lasso` 1, the Lasso of Tibshirani (1996)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after so many rounds no log price changes visibly
        model = ElasticNet(alpha=options["penalty"], l1_ratio=options["lasso"], precompute=True, max_iter=2000)
        model.fit(features, log_prices)
    return Linear(model.coef_, float(model.intercept_))


def fit_kernel(features: Features, log_prices: LogPrices, options: Options) -> Kernel:
    """Support vector regression with Gaussian kernels (Drucker et al. 1996)."""
    width = options["width"] / features.shape[1]
    model = SVR(C=options["cost"], gamma=width, epsilon=options["tube"]).fit(features, log_prices)
    return Kernel(model.support_vectors_, model.dual_coef_[0], float(model.intercept_[0]), width)


def fit_trees(features: Features, log_prices: LogPrices, options: Options) -> Trees:
    """Gradient boosting (Friedman 2001); each tree sees a part of the columns and of the houses."""
    fixed = {
        "objective": "regression",
        "learning_rate": 0.03,
        "min_data_in_leaf": 8,
        "lambda_l2": 1.0,
        "feature_fraction": 0.2,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 63,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    rounds = int(options["rounds"])
    data = lightgbm.Dataset(features, log_prices)
    booster = lightgbm.train({**fixed, "num_leaves": int(options["leaves"])}, data, rounds)
    return Trees(booster.model_to_string(), rounds)


@dataclass(frozen=True)
class Family:
    """A kind of model."""

    name: str
    fit: Callable[[Features, LogPrices, Options], Fitted]
    grid: dict[str, tuple[float, ...]]
    """Options, and the values of each that are tried."""

    @property
    def options(self) -> list[Options]:
        """All combinations, in order."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def on_grid(self, features: Features, log_prices: LogPrices, held: Features) -> Iterator[LogPrices]:
        """Predicted log prices of the houses in `held`, for each combination of options in order."""
        for options in self.options:
            yield self.fit(features, log_prices, options).predict(held)


@dataclass(frozen=True)
class Boosting(Family):
    """Boosting, fitted once for all numbers of rounds: fewer rounds are an earlier stage of the same model."""

    def on_grid(self, features: Features, log_prices: LogPrices, held: Features) -> Iterator[LogPrices]:
        rounds = [int(count) for count in self.grid["rounds"]]
        for leaves in self.grid["leaves"]:
            longest = self.fit(features, log_prices, {"leaves": leaves, "rounds": max(rounds)})
            assert isinstance(longest, Trees)
            for stage in longest.stages(rounds):
                yield stage.predict(held)


LINEAR = "linear, by Accelerate"
FAMILIES: dict[str, Family] = {
    "linear": Family(LINEAR, fit_robust, {"threshold": (0.1, 0.2), "penalty": (20.0, 40.0, 80.0, 160.0)}),
    "ridge": Family("ridge", fit_ridge, {"penalty": (20.0, 40.0, 80.0, 160.0, 320.0)}),
    "lasso": Family("Lasso", fit_elastic_net, {"lasso": (1.0,), "penalty": (1e-3, 2.5e-3, 5e-3, 1e-2)}),
    "elastic_net": Family("elastic net", fit_elastic_net, {"lasso": (0.1, 0.5), "penalty": (3e-3, 1e-2, 3e-2)}),
    "kernel": Family(
        "support vectors", fit_kernel, {"tube": (0.05,), "cost": (3.0, 10.0, 30.0), "width": (0.01, 0.02, 0.05)}
    ),
    "boosting": Boosting("boosted trees", fit_trees, {"leaves": (8.0,), "rounds": (300.0, 600.0, 900.0)}),
}
