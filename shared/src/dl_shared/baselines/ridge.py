"""Ridge regression of log prices on the columns as they are: imputed, sizes as logarithms, scaled, one-hot."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from dl_shared.baselines.cache import cached
from dl_shared.data.houses import CATEGORICAL, NUMERIC, SIZES, Houses
from dl_shared.files import fingerprint

ALPHAS = np.logspace(-1, 3, 17)


def ridge_pipeline() -> Pipeline:
    """The unfitted model: features of :class:`Houses` in, log price out.

    Medians, scales, categories and the penalty (generalised cross-validation over `ALPHAS`) are learned inside `fit`,
    so that nothing of a held-out fold is seen. Categories with fewer than five houses share one column.
    """
    others = [name for name in NUMERIC if name not in SIZES]
    sizes = make_pipeline(FunctionTransformer(np.log1p, feature_names_out="one-to-one"), _numbers())
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", keep_empty_features=True),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5),
    )
    columns = ColumnTransformer(
        [("sizes", sizes, list(SIZES)), ("others", _numbers(), others), ("categories", categories, list(CATEGORICAL))]
    )
    return make_pipeline(columns, RidgeCV(ALPHAS))


def _numbers() -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )


def ridge_prices(train: Houses, features: pd.DataFrame) -> Float[np.ndarray, " houses"]:
    """Prices in dollars (the exponential of the log prediction) of a model fitted on the training houses; cached.

    Raises:
        ValueError: if the training houses have no prices.
    """
    if train.prices is None:
        raise ValueError("the training houses have no prices")
    prices = train.prices

    def compute() -> dict[str, np.ndarray]:
        model = ridge_pipeline().fit(train.features, np.log(prices))
        return {"prices": np.exp(model.predict(features))}

    rows = Houses(features, np.arange(len(features)), None)
    return cached("ridge", fingerprint([train.fingerprint, rows.fingerprint]), compute)["prices"]


def ridge_cross_validated(houses: Houses, *, folds: int = 5, seed: int = 0) -> Float[np.ndarray, " houses"]:
    """Out-of-fold prices in dollars: every house predicted by a model that never saw it."""
    predicted = np.empty(len(houses))
    for fit, held_out in KFold(folds, shuffle=True, random_state=seed).split(houses.ids):
        predicted[held_out] = ridge_prices(houses.take(fit), houses.features.iloc[held_out].reset_index(drop=True))
    return predicted
