"""A search over groups of columns and options of the linear model, by cross-validation of all but the test houses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from accelerate_projects.houses import robust
from accelerate_projects.houses.config import GROUPS, Config
from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.nested import split_rows
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.unrecorded import refuse_several
from dl_shared.tasks import houses
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune

FOLDS = 5
SPACE: Space = {
    "penalty": Float(1.0, 500.0, log=True),
    "threshold": Float(0.05, 1.0, log=True),
    "trim": Float(0.0, 0.05),
    "margin": Float(0.0, 0.5),
    **{group: Choice((True, False)) for group in GROUPS},
}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The options of a trial; a field for each group of columns says whether it is used."""

    data: str
    seed: int
    penalty: float
    threshold: float
    trim: float
    margin: float
    sizes: bool = True
    numbers: bool = True
    grades: bool = True
    kinds: bool = True
    totals: bool = True
    ages: bool = True
    presence: bool = True
    season: bool = True
    products: bool = True
    places: bool = True

    def __post_init__(self) -> None:
        if not self.features:
            raise ValueError("there is no group of columns")

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(group for group in GROUPS if getattr(self, group))


def search(config: Config, options: TuneOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; returns what was found, as options of `train`."""
    refuse_several()
    base = Candidate(data=config.data, seed=config.seed, penalty=20.0, threshold=0.15, trim=config.trim, margin=0.2)
    houses.load(config.data, seed=config.seed)  # fails before there is a study if the data cannot be read
    found = tune(
        "accelerate-houses", base, SPACE, objective, direction="minimize", metric="RMSE of log price", options=options
    )
    best = found.best_config
    if best is None:
        return found.summary()
    numbers = " ".join(f"--{name} {getattr(best, name):.4g}" for name in ("penalty", "threshold", "trim", "margin"))
    return {**found.summary(), "train_with": f"{numbers} --features {' '.join(best.features)}"}


def objective(candidate: Candidate, report: Report) -> float:
    """RMSE of the log price over folds of all but the test houses, each predicted by a model that did not see it.

    The equations of `robust` are solved in place of the loop, which ends at the same weights.
    """
    data = houses.load(candidate.data, seed=candidate.seed)
    features = pd.concat([data.train.features, data.validation.features], ignore_index=True)
    assert data.train.prices is not None
    assert data.validation.prices is not None
    log_prices = np.log(np.concatenate([data.train.prices, data.validation.prices]))
    squares: list[float] = []
    for number, split in enumerate(split_rows(np.arange(len(features)), FOLDS, candidate.seed)):
        preprocessor = Preprocessor.fit(features.iloc[split.fit], candidate.features, candidate.trim)
        columns, held = (preprocessor.transform(features.iloc[rows]) for rows in (split.fit, split.held))
        weight, bias = robust.solve(columns, log_prices[split.fit], candidate.penalty, candidate.threshold, close=1e-4)
        prices = PriceRange.fit(features.iloc[split.fit], log_prices[split.fit], candidate.margin)
        predicted = prices.limit(held @ weight + bias, features.iloc[split.held])
        squares.extend(np.square(predicted - log_prices[split.held]))
        report(float(np.sqrt(np.mean(squares))), step=number + 1)
    return float(np.sqrt(np.mean(squares)))
