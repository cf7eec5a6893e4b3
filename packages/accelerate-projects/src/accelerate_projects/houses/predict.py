"""A finished run, applied to other houses."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from accelerate_projects import checkpoints
from accelerate_projects.houses.config import Config
from accelerate_projects.houses.fitted import Pipeline
from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.model import LinearRegression
from accelerate_projects.houses.options import PredictOptions
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.houses.train import PREPROCESSOR, RANGE, predict_prices
from dl_shared.cli import EvaluateOptions
from dl_shared.data.houses import ID, PRICE, Houses, read_houses
from dl_shared.errors import InputError
from dl_shared.files import atomic_path, read_json
from dl_shared.runs import read_config, read_summary
from dl_shared.tasks import houses

MODELS, BLEND, BLEND_FILE = "models", "blend", "blend.json"  # of a comparison


def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Score a run on the test part of other data; kept under RUN/evaluations/. A comparison is scored by its blend.

    Raises:
        InputError: if the models of a comparison were fitted to these data, test part and all.
    """
    run = Path(options.run)
    summary = read_summary(run)
    data = houses.load(options.data, seed=summary["seed"])
    whole = houses.load_whole(options.data, seed=summary["seed"])
    if whole.houses.fingerprint == summary["data"].get("fingerprint"):
        raise InputError(f"{run} holds models fitted to all of these houses; how they do on others is in its report")
    return houses.evaluate(run, data, predict_by_run(run, data.test))


def predict(options: PredictOptions) -> list[dict[str, Any]]:
    """A row for each house, in the order of the file; with `output` also written as Kaggle's submission file.

    Raises:
        InputError: if the file cannot be used.
    """
    given = read_houses(options.houses, priced=False)
    prices = predict_by_run(Path(options.run), given, options.model)
    if options.output is not None:
        with atomic_path(options.output) as temporary:
            pd.DataFrame({ID: given.ids, PRICE: prices}).to_csv(temporary, index=False, float_format="%.2f")
    return [{ID: int(number), PRICE: float(price)} for number, price in zip(given.ids, prices, strict=True)]


def predict_by_run(run: Path, given: Houses, model: str | None = None) -> Float[np.ndarray, " houses"]:
    """Prices in dollars, by the model of a run, or by one of those of a comparison.

    Raises:
        InputError: if there is no such model, or a file of the run is damaged.
    """
    if (run / MODELS).is_dir():
        return np.exp(_compared(run / MODELS, given, model or BLEND))
    if model is not None:
        raise InputError(f"{run} has one model; --model is for the runs of compare")
    return predict_prices(*load_run(run), given)


def _compared(folder: Path, given: Houses, model: str) -> Float[np.ndarray, " houses"]:
    """Log prices by one model of a comparison, or by their blend."""
    there = sorted(path.stem for path in folder.glob("*.safetensors"))
    if model == BLEND:
        shares = read_json(folder / BLEND_FILE)
        if not isinstance(shares, dict) or not set(shares) <= set(there) or not shares:
            raise InputError(f"{folder / BLEND_FILE} does not weigh the models that are there")
        return sum((share * _compared(folder, given, name) for name, share in shares.items() if share), np.zeros(1))
    if model not in there:
        raise InputError(f"--model must be one of {', '.join([BLEND, *there])}; got {model!r}")
    return Pipeline.load(folder / f"{model}.safetensors").log_prices(given.features)


def load_run(run: Path) -> tuple[LinearRegression, Preprocessor, PriceRange]:
    """The model of a run, the preprocessor of its houses, and the limits of its prices.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    read_config(run, Config)
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    try:
        preprocessor = Preprocessor.from_json(read_json(run / PREPROCESSOR))
        prices = PriceRange.from_json(read_json(run / RANGE))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{run / PREPROCESSOR} or {RANGE} is damaged ({error})") from None
    model = LinearRegression(len(preprocessor.names))
    checkpoints.load_weights(path, model, parts.get("model", {}))
    return model.eval(), preprocessor, prices
