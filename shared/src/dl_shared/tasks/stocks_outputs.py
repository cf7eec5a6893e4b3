"""From the outputs of a network that forecasts one number for each day ahead to log returns with intervals.

A network learns returns in units of the volatility of their day, as known on that day: so a month of panic does not
outweigh years of calm in a squared error, and one company is like another. What it takes to go back to prices is kept
in the run's folder beside the weights, so that the folder is enough to forecast from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from dl_shared.data.scalers import Scaler
from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json
from dl_shared.metrics.conformal import coverages, fit_factors, make_quantiles, track_factors
from dl_shared.tasks.stocks_data import Data

FILE = "forecaster.json"
SMALLEST_SCALE = 1e-8  # of targets, where no price moved
RATE = 0.01  # by which intervals follow what has come; see `track_factors`

Forecasts = Float[np.ndarray, "windows horizon"]
Quantiles = Float[np.ndarray, "windows horizon levels"]


@dataclass(frozen=True)
class Outputs:
    """Scales of inputs and outputs, and calibrated intervals around the outputs.

    Attributes:
        features: names of the input columns.
        scaler: of the features, fitted on the training part.
        target_scale: root mean square of the training targets in units of recent volatility, for each day ahead.
        levels: of the quantiles, ascending and symmetric around 0.5.
        rate: by which intervals follow what has come since, see `dl_shared.metrics.conformal`; 0 for no.
        factors: by how many recent volatilities each interval reaches to both sides; None before calibration.
    """

    features: tuple[str, ...]
    scaler: Scaler
    target_scale: Float[np.ndarray, " horizon"]
    levels: tuple[float, ...]
    rate: float = RATE
    factors: Float[np.ndarray, "horizon pairs"] | None = None

    @classmethod
    def of(cls, data: Data, levels: Sequence[float], *, rate: float = RATE) -> "Outputs":
        """For a network to be trained on these data, not yet calibrated."""
        in_volatilities = data.train.targets / data.volatility("train")[:, None]
        scale = np.maximum(np.sqrt((in_volatilities**2).mean(axis=0)), SMALLEST_SCALE)
        return cls(data.features, data.scaler, scale, tuple(levels), rate)

    def from_returns(self, returns: Forecasts, volatility: Float[np.ndarray, " windows"]) -> Forecasts:
        """What a network is to put out: 0 is persistence, and 1 a usual move."""
        return returns / (volatility[:, None] * self.target_scale)

    def to_returns(
        self, outputs: Float[np.ndarray, "windows horizon"], volatility: Float[np.ndarray, " windows"]
    ) -> Forecasts:
        """Cumulative log returns from a network's outputs; the inverse of `from_returns`."""
        return outputs.astype(np.float64) * volatility[:, None] * self.target_scale

    def calibrated(self, data: Data, forecasts: Forecasts) -> "Outputs":
        """The same with intervals calibrated on the validation part, for which these are the forecasts."""
        part = data.validation
        scores = np.abs(part.targets - forecasts) / data.volatility("validation")[:, None]
        return replace(self, factors=fit_factors(scores, self.levels))

    def unmoved(self) -> "Outputs":
        """The same with intervals that stay as validation made them."""
        return replace(self, rate=0.0)

    def quantiles(
        self,
        forecasts: Forecasts,
        targets: Forecasts,
        volatility: Float[np.ndarray, " windows"],
        ticker_ids: Int[np.ndarray, " windows"],
    ) -> Quantiles:
        """Quantiles of the cumulative log returns, with the forecasts in their middle.

        Args:
            forecasts: of each ticker on successive days.
            targets: what came; read only once it was known, so that those still unknown may hold anything.
            volatility: on the day of each forecast, see `Data.volatility`.
            ticker_ids: which rows belong together.
        """
        assert self.factors is not None, "to be calibrated first"
        scores = np.abs(targets - forecasts) / volatility[:, None]
        factors = np.empty((*forecasts.shape, self.factors.shape[1]))
        for number in np.unique(ticker_ids):
            rows = ticker_ids == number
            factors[rows] = track_factors(scores[rows], self.factors, self.levels, rate=self.rate)
        return make_quantiles(forecasts, volatility, factors)

    def test_quantiles(self, data: Data, forecasts: Forecasts) -> Quantiles:
        """The same for the test part of some data."""
        return self.quantiles(forecasts, data.test.targets, data.volatility(), data.test.ticker_ids)

    def save(self, run: Path) -> None:
        """Write RUN/forecaster.json."""
        assert self.factors is not None, "to be calibrated first"
        record = {
            "features": self.features,
            "scaler": self.scaler.to_json(),
            "target_scale": self.target_scale,
            "levels": self.levels,
            "rate": self.rate,
            "factors": self.factors,
        }
        write_json(run / FILE, record)


def load_outputs(run: Path) -> Outputs:
    """What `save` wrote.

    Raises:
        InputError: if the run is not finished, or the file is damaged.
    """
    path = run / FILE
    if not path.exists():
        raise InputError(f"{run} is not finished: it has no {FILE}; go on with its --resume")
    record = read_json(path)
    try:
        factors, levels = np.array(record["factors"], float), tuple(map(float, record["levels"]))
        if factors.shape != (len(record["target_scale"]), len(coverages(levels))):
            raise ValueError(f"factors of shape {factors.shape}")
        return Outputs(
            features=tuple(map(str, record["features"])),
            scaler=Scaler.from_json(record["scaler"]),
            target_scale=np.array(record["target_scale"], float),
            levels=levels,
            rate=float(record["rate"]),
            factors=factors,
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{path} is damaged; train anew") from None
