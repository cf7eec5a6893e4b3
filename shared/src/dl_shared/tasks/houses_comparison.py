"""Models of house prices under one cross-validation: scored on the same houses, in one table, on one page."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dl_shared.metrics.regression import compare_regression, score_regression
from dl_shared.plots import comparison
from dl_shared.plots import houses as plots
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.tasks.evaluation import side_by_side
from dl_shared.tasks.houses import Whole

BASELINE = "ridge on the columns as they are"
MARKED = 5  # of the largest errors, in the picture


def report(
    run: Run,
    whole: Whole,
    predictions: Mapping[str, Float[np.ndarray, " houses"]],
    *,
    chosen: Mapping[str, Mapping[str, Any]],
    best: str,
) -> dict[str, Any]:
    """Score models on houses that none of them saw; write predictions, pictures and the page of the run.

    Args:
        run: still open, with its data recorded.
        whole: all houses.
        predictions: prices by each model, and by `BASELINE`; each house's by a model fitted without it.
        chosen: more columns of the table, such as what was chosen how often, for some of the models.
        best: the model that stands for all in the summary; the others are compared with it.

    Returns:
        The `metrics` of summary.json; the table is `models` under `test`.
    """
    actual = whole.houses.prices
    assert actual is not None
    compared = compare_regression(predictions, actual, best)
    ranked = sorted(compared, key=lambda name: compared[name]["rmse_log"])
    own = score_regression(predictions[best], actual)
    baseline = score_regression(predictions[BASELINE], actual)
    optimum = None if whole.median is None else score_regression(whole.median, actual, replicates=0)
    test = {**own, "models": {name: {**compared[name], **chosen.get(name, {})} for name in ranked}}
    metrics = side_by_side("rmse_log", test=test, baseline={"name": BASELINE, **baseline}, optimum=optimum)
    run.update("metrics", **metrics)
    columns = {"predicted": predictions[best], "baseline": predictions[BASELINE], **predictions}
    run.save_predictions(pd.DataFrame({"Id": whole.houses.ids, "SalePrice": actual, **columns}))
    _save_pictures(run, whole, predictions, compared, ranked, best)
    write_page(run.path)
    return metrics


def _save_pictures(
    run: Run,
    whole: Whole,
    predictions: Mapping[str, np.ndarray],
    compared: Mapping[str, Mapping[str, Any]],
    ranked: list[str],
    best: str,
) -> None:
    actual = whole.houses.prices
    assert actual is not None
    entries = [
        comparison.Entry(name, compared[name]["rmse_log"], tuple(compared[name]["rmse_log_ci"])) for name in ranked
    ]
    run.save_figure(
        comparison.scores(entries, "RMSE of the log price", higher_is_better=False),
        "models",
        caption="Every model under the same nested cross-validation. Intervals overlap more than the models differ:"
        " the houses are the same, so that the table's paired differences tell more.",
    )
    worst = np.argsort(-np.abs(np.log(predictions[best] / actual)))[:MARKED]
    run.save_figure(
        plots.predicted_against_actual(
            actual,
            {best: predictions[best], "baseline": predictions[BASELINE]},
            {int(row): str(whole.houses.ids[row]) for row in worst},
        ),
        "predicted_against_actual",
        caption="Every house, by models fitted without it; the largest errors of the first model are ringed.",
    )
    run.save_figure(
        plots.residuals(actual, predictions[best]),
        "residuals",
        caption="Errors relative to the actual price, by prediction.",
    )
