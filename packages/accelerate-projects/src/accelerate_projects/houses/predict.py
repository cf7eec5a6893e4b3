"""A finished run, applied to other houses."""

from pathlib import Path
from typing import Any

import pandas as pd

from accelerate_projects import checkpoints
from accelerate_projects.houses.config import Config
from accelerate_projects.houses.model import LinearRegression
from accelerate_projects.houses.options import PredictOptions
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.houses.train import PREPROCESSOR, predict_prices
from dl_shared.cli import EvaluateOptions
from dl_shared.data.houses import ID, PRICE, read_houses
from dl_shared.errors import InputError
from dl_shared.files import atomic_path, read_json
from dl_shared.runs import read_config
from dl_shared.tasks import houses


def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Score a run on the test part of other data; kept under RUN/evaluations/."""
    run = Path(options.run)
    model, preprocessor, config = load_run(run)
    data = houses.load(options.data, seed=config.seed)
    return houses.evaluate(run, data, predict_prices(model, preprocessor, data.test))


def predict(options: PredictOptions) -> list[dict[str, Any]]:
    """A row for each house, in the order of the file; also written as Kaggle takes it, where asked.

    Raises:
        InputError: if the file cannot be used.
    """
    model, preprocessor, _ = load_run(Path(options.run))
    given = read_houses(options.houses, priced=False)
    prices = predict_prices(model, preprocessor, given)
    if options.output is not None:
        with atomic_path(options.output) as temporary:
            pd.DataFrame({ID: given.ids, PRICE: prices}).to_csv(temporary, index=False, float_format="%.2f")
    return [{ID: int(number), PRICE: float(price)} for number, price in zip(given.ids, prices, strict=True)]


def load_run(run: Path) -> tuple[LinearRegression, Preprocessor, Config]:
    """The model of a run, what prepares houses for it, and its options.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    config = read_config(run, Config)
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    try:
        preprocessor = Preprocessor.from_json(read_json(run / PREPROCESSOR))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{run / PREPROCESSOR} is damaged ({error})") from None
    model = LinearRegression(len(preprocessor.names))
    checkpoints.load_weights(path, model, parts.get("model", {}))
    return model.eval(), preprocessor, config
