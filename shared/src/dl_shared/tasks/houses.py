"""House prices: what every house-price project loads, must beat, and reports."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.model_selection import train_test_split

from dl_shared.baselines.ridge import ridge_prices
from dl_shared.data.houses import KAGGLE, Houses, missing_counts, parse_houses, read_houses
from dl_shared.errors import InputError
from dl_shared.files import fingerprint
from dl_shared.metrics.regression import score_regression
from dl_shared.plots import houses as plots
from dl_shared.plots.curves import training_curves
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.sample.houses import make_houses
from dl_shared.tasks.evaluation import save_evaluation, side_by_side
from dl_shared.tasks.houses_errors import Misjudged, as_table, explain_largest

SAMPLE_HOUSES = 2000
TEST_SHARE = 0.2  # of all houses
VALIDATION_SHARE = 0.15  # of the others
PRICE_GROUPS = 10  # each part gets its share of every tenth of the price range
MARKED = 3  # of the largest errors, in the picture and in words
FEWEST = 100  # houses; fewer leave groups that cannot be split


@dataclass(frozen=True)
class Data:
    """The three parts, alike in their prices. Every row is kept, outliers too."""

    train: Houses
    validation: Houses
    test: Houses
    source: str
    optimum: dict[str, float] | None
    """For sample data, scores of the known price function on the test part: what is left is noise."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of every cell and price."""
        return fingerprint([part.fingerprint for part in (self.train, self.validation, self.test)])

    @property
    def rows(self) -> dict[str, int]:
        """Houses in each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


@dataclass(frozen=True)
class Whole:
    """All houses of a source, for cross-validation."""

    houses: Houses
    source: str
    median: Float[np.ndarray, " houses"] | None
    """The known price function, for sample data: what is left of it is noise."""


def load_whole(source: str, *, seed: int, sample_size: int = SAMPLE_HOUSES) -> Whole:
    """Load houses as `load`, and split nothing."""
    if source == "hub":
        raise InputError(KAGGLE)
    if source == "sample":
        made = make_houses(sample_size, seed)
        return Whole(parse_houses(made.table, "the sample"), f"sample: {sample_size} houses, seed {seed}", made.median)
    found = read_houses(Path(source))
    if len(found) < FEWEST:
        raise InputError(f"{len(found)} houses are too few to train, validate and test; give at least {FEWEST}")
    return Whole(found, source, None)


def load(source: str, *, seed: int, sample_size: int = SAMPLE_HOUSES) -> Data:
    """Load houses and split them.

    Args:
        source: `sample`, or the path of Kaggle's train.csv or of the folder that holds it.
        seed: chooses the rows of each part, and makes the sample.
        sample_size: houses in the sample.

    Raises:
        InputError: if the source cannot be used, or is `hub`: the competition needs a login.
    """
    whole = load_whole(source, seed=seed, sample_size=sample_size)
    train, validation, test = _split(whole.houses, seed)
    optimum = None
    if whole.median is not None:
        row_of = {int(number): row for row, number in enumerate(whole.houses.ids)}
        median = whole.median[[row_of[int(number)] for number in test.ids]]
        optimum = score_regression(median, _prices(test), replicates=0)
    return Data(train, validation, test, whole.source, optimum)


def _split(houses: Houses, seed: int) -> tuple[Houses, Houses, Houses]:
    ranks = np.argsort(np.argsort(_prices(houses), kind="stable"), kind="stable")
    groups = ranks * PRICE_GROUPS // len(houses)

    def cut(rows: Int[np.ndarray, " rows"], share: float) -> list[np.ndarray]:
        return train_test_split(rows, test_size=share, stratify=groups[rows], random_state=seed)

    others, test = cut(np.arange(len(houses)), TEST_SHARE)
    train, validation = cut(others, VALIDATION_SHARE)
    return houses.take(train), houses.take(validation), houses.take(test)


def _prices(houses: Houses) -> Float[np.ndarray, " houses"]:
    if houses.prices is None:
        raise ValueError("these houses have no prices")
    return houses.prices


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that unfinished runs have it too."""
    run.record_data(source=data.source, fingerprint=data.fingerprint, rows=data.rows)


def report(
    run: Run,
    data: Data,
    test_prices: Float[np.ndarray, " test"],
    validation_prices: Float[np.ndarray, " validation"] | None = None,
    parts: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Score the test part beside baseline and optimum; write predictions, pictures and the page of the run.

    Args:
        run: still open, with its data recorded; its history becomes the curves.
        data: as loaded.
        test_prices: predictions in dollars, one for each test house, in order.
        validation_prices: likewise for the validation part, when at hand.
        parts: of the predicted log prices, see :func:`dl_shared.tasks.houses_errors.explain_largest`.

    Returns:
        The `metrics` of summary.json.

    Raises:
        ValueError: if rows are missing, or a price is not a positive number.
    """
    baseline_prices, metrics = _metrics(data, test_prices)
    if validation_prices is not None:
        metrics["validation"] = _score(data.validation, validation_prices)
    explained = explain_largest(data.train, data.test, test_prices, parts)
    metrics["test"] |= {"largest_errors": as_table(explained)}
    run.update("metrics", **metrics)
    run.save_predictions(
        pd.DataFrame(
            {
                "Id": data.test.ids,
                "SalePrice": _prices(data.test),
                "predicted": test_prices,
                "baseline": baseline_prices,
            }
        )
    )
    _save_pictures(run, data, test_prices, baseline_prices, metrics, explained)
    write_page(run.path)
    return metrics


def evaluate(run_path: Path, data: Data, test_prices: Float[np.ndarray, " test"]) -> dict[str, Any]:
    """Score a finished run on the test part of other data; kept under RUN/evaluations/.

    The baseline is fitted on the training part of those data.
    """
    _, metrics = _metrics(data, test_prices)
    return save_evaluation(run_path, metrics, source=data.source, fingerprint=data.fingerprint, rows=len(data.test))


def _score(houses: Houses, predicted: np.ndarray) -> dict[str, Any]:
    if len(predicted) != len(houses):
        raise ValueError(f"{len(predicted):,} prices for {len(houses):,} houses: give one for each")
    if not np.isfinite(predicted).all():
        raise ValueError("predicted prices must be finite: the model has diverged")
    return score_regression(predicted.astype(np.float64), _prices(houses))


def baseline(data: Data) -> tuple[Float[np.ndarray, " test"], dict[str, Any]]:
    """Prices of the test houses by ridge regression, in dollars, and their scores."""
    prices = ridge_prices(data.train, data.test.features)
    return prices, {"name": "ridge regression on the columns as they are", **_score(data.test, prices)}


def _metrics(data: Data, predicted: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    test = _score(data.test, predicted)
    baseline_prices, baseline_scores = baseline(data)
    figures = side_by_side("rmse_log", test=test, baseline=baseline_scores, optimum=data.optimum)
    return baseline_prices, {"validation": {}} | figures


def _save_pictures(
    run: Run,
    data: Data,
    predicted: np.ndarray,
    baseline_prices: np.ndarray,
    metrics: dict[str, Any],
    explained: list[Misjudged],
) -> None:
    actual, features = _prices(data.test), data.test.features
    history = run.history()
    axes = {"loss": "loss (squared error of the log price)", "rmse_log": "RMSE of the log price"}
    logged = {name: label for name, label in axes.items() if any(row.get(name) is not None for row in history)}
    if logged:
        levels = {"baseline": metrics["baseline"]["rmse_log"]}
        if data.optimum:
            levels["optimum"] = data.optimum["rmse_log"]
        figure = training_curves(history, logged, references={"rmse_log": levels})
        run.save_figure(figure, "curves", caption="Over training, beside the baseline.")
    marked = {house.row: str(house.number) for house in explained[:MARKED]}
    run.save_figure(
        plots.predicted_against_actual(actual, {"model": predicted, "ridge baseline": baseline_prices}, marked),
        "predicted_against_actual",
        caption="Every house of the test part; on the dashed line, the prediction is right. "
        + " ".join(house.sentence for house in explained[:MARKED]),
    )
    run.save_figure(
        plots.residuals(actual, predicted), "residuals", caption="Errors relative to the actual price, by prediction."
    )
    notes = [
        f"{house.Neighborhood}, {house.GrLivArea:.0f} sq ft, quality {house.OverallQual:.0f}, {house.SaleCondition}"
        for house in features.itertuples()
    ]
    run.save_figure(
        plots.largest_errors(data.test.ids, actual, predicted, notes),
        "largest_errors",
        caption="The test houses that the model misjudges most, by Id.",
    )
    run.save_figure(
        plots.price_distribution(_prices(data.train)),
        "prices",
        caption="Prices of the training houses: nearly lognormal.",
    )
    run.save_figure(
        plots.missingness(missing_counts(data.train.features), len(data.train)),
        "missingness",
        caption="Training houses: where NA means that there is no such thing, and where a value was not written down.",
    )
    run.save_figure(
        plots.correlations(data.train.features, _prices(data.train)),
        "correlations",
        caption="The numeric columns that go most with the price, by rank.",
    )
