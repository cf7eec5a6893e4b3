"""A trained ensemble with all it needs to forecast: networks, scaler of inputs, scale and calibration of outputs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Float, Int

from dl_shared.data.scalers import Scaler
from dl_shared.data.windows import Windows
from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json
from dl_shared.runs import read_config
from dl_shared.tasks.stocks import Data
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.checkpoints import restore_best
from flax_projects.devices import data_mesh, whole
from flax_projects.stocks.calibration import Quantiles, fit_stretch, stretch_intervals
from flax_projects.stocks.config import Config
from flax_projects.stocks.model import Forecaster
from flax_projects.stocks.step import make_predict, predict_all

FILE = "forecaster.json"
PREDICT_BATCH = 512  # windows in one call of the compiled program


@dataclass(frozen=True)
class Ensemble:
    """Members whose mean quantiles are the forecast.

    Attributes:
        config: they were trained with.
        features: names of the input columns.
        scaler: of the features, fitted on the training part.
        target_scale: root mean square of the training targets, for each day ahead.
        models: state of the members' models, along the first axis of every array.
        mesh: where to compute.
        stretch: the calibration, see `fit_stretch`; None before it.
    """

    config: Config
    features: tuple[str, ...]
    scaler: Scaler
    target_scale: Float[np.ndarray, " horizon"]
    models: Any
    mesh: Mesh
    stretch: Float[np.ndarray, "horizon pairs"] | None = None

    def forecast(self, windows: Windows) -> Quantiles:
        """Quantiles of the cumulative log returns after each window, calibrated if the ensemble is."""
        return self.forecast_rows(windows.series, windows.ends)

    def forecast_rows(self, values: Float[np.ndarray, "rows features"], ends: Int[np.ndarray, " windows"]) -> Quantiles:
        """The same for windows of scaled features that end in the given rows."""
        predict = predictor(self.config, self.features, 1, self.mesh)
        scaled = predict(self.models, np.asarray(values), ends)[0]
        quantiles = scaled.astype(np.float64) * self.target_scale[:, None]
        return quantiles if self.stretch is None else stretch_intervals(quantiles, self.stretch)

    def calibrated(self, data: Data) -> "Ensemble":
        """The ensemble with its intervals calibrated on the validation part."""
        raw = replace(self, stretch=None)
        return replace(self, stretch=fit_stretch(raw.forecast(data.validation), data.validation.targets, LEVELS))

    def save(self, run: Path) -> None:
        """Write what is not in the checkpoint beside it."""
        assert self.stretch is not None, "only a calibrated ensemble is finished"
        record = {
            "features": self.features,
            "scaler": self.scaler.to_json(),
            "target_scale": self.target_scale,
            "levels": LEVELS,
            "stretch": self.stretch,
        }
        write_json(run / FILE, record)


def load_ensemble(run: Path) -> Ensemble:
    """The ensemble of a finished run.

    Raises:
        InputError: if the run is not finished, or a file of it is damaged.
    """
    config = read_config(run, Config)
    if not (run / FILE).exists():
        raise InputError(f"{run} is not finished; go on with flax-stocks train --resume {run}")
    record = read_json(run / FILE)
    try:
        features, scaler = tuple(map(str, record["features"])), Scaler.from_json(record["scaler"])
        target_scale, stretch = np.array(record["target_scale"], float), np.array(record["stretch"], float)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{run / FILE} is damaged; train anew") from None
    if target_scale.shape != (config.horizon,) or stretch.shape != (config.horizon, len(LEVELS) // 2):
        raise InputError(f"{run / FILE} does not fit the run's options; train anew")
    mesh = data_mesh("auto", jax.device_count())
    state = nnx.state(make_model(config, features))
    like = jax.tree.map(lambda array: jnp.zeros((config.members, *array.shape), array.dtype), state)
    models = restore_best(run, jax.device_put(like, whole(mesh)))
    return Ensemble(config, features, scaler, target_scale, models, mesh, stretch)


def make_model(config: Config, features: tuple[str, ...], rngs: nnx.Rngs | None = None) -> Forecaster:
    """The network of one member; its weights are to be restored where no `rngs` are given."""
    number = features.index("return") if "return" in features else 0
    return Forecaster(config, features=len(features), return_feature=number, rngs=rngs or nnx.Rngs(0))


@lru_cache(maxsize=8)
def predictor(
    config: Config, features: tuple[str, ...], groups: int, mesh: Mesh
) -> Callable[..., Float[np.ndarray, "groups windows horizon levels"]]:
    """A function from (models, values, ends) to quantiles in units of `target_scale`, for any number of windows.

    The same one for the same arguments, so that it is compiled once.
    """
    graph = nnx.graphdef(nnx.view(make_model(config, features), deterministic=True))
    program = make_predict(graph, groups=groups, lookback=config.lookback, mesh=mesh)

    def predict(models: Any, values: Any, ends: Int[np.ndarray, " windows"]):
        batch_size = -(-min(len(ends), PREDICT_BATCH) // mesh.size) * mesh.size
        return predict_all(program, models, values, ends, batch_size).astype(np.float64)

    return predict
