"""The verb `compare`: the linear model, five others and their blend, under nested cross-validation.

Each pair of an outer fold and a model is a cell, which is saved when it is done; a comparison that was killed resumes
with the next one.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float

from accelerate_projects import checkpoints
from accelerate_projects.houses.config import FEATURE_SETS, CompareConfig, Config
from accelerate_projects.houses.families import FAMILIES, Family
from accelerate_projects.houses.fitted import Fitted, Linear, Pipeline
from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.nested import Choice, Training, blend_weights, choose, split_rows
from accelerate_projects.houses.predict import BLEND, BLEND_FILE, MODELS
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.houses.train import fit
from accelerate_projects.processes import make_accelerator
from accelerate_projects.unrecorded import refuse_several, unrecorded_run
from dl_shared.baselines.ridge import ridge_prices
from dl_shared.data.houses import Houses
from dl_shared.files import write_json
from dl_shared.progress import progress, say
from dl_shared.runs import Run
from dl_shared.tasks import houses, houses_comparison

PROJECT = "accelerate-houses"


@dataclass(frozen=True)
class Cell:
    """What one model did in one outer fold."""

    held: Float[np.ndarray, " held"]
    """Log prices of the houses held out."""
    inner: Float[np.ndarray, " houses"]
    """Log prices of the other houses, each predicted by the inner fold that held it out."""
    chosen: dict[str, Any]
    """By the inner folds."""
    seconds: float


def compare(config: CompareConfig, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Compare and report; returns the run directory, whose models `predict` can use.

    Raises:
        InputError: if the data cannot be used, or in more than one process.
    """
    refuse_several()
    accelerator = make_accelerator(_loop(config))
    described: dict[str, Any] = {"task": "houses", "framework": "accelerate", "primary": "rmse_log"}
    with Run.start(PROJECT, config, **described, higher_is_better=False, runs_dir=runs_dir, resume=resume) as run:
        whole = houses.load_whole(config.data, seed=config.seed)
        houses_held = len(whole.houses) // config.folds
        rows = {"train": len(whole.houses) - houses_held, "validation": 0, "test": len(whole.houses)}
        run.record_data(source=whole.source, fingerprint=whole.houses.fingerprint, rows=rows)
        start = time.perf_counter()
        predictions, chosen = cross_validate(config, whole.houses, run, accelerator)
        fit_to_all(config, whole.houses, run, accelerator)
        run.update("cost", train_seconds=time.perf_counter() - start, device=str(accelerator.device), processes=1)
        houses_comparison.report(run, whole, predictions, chosen=chosen, best=BLEND)
    return run.path


def cross_validate(
    config: CompareConfig, whole: Houses, run: Run, accelerator: Accelerator
) -> tuple[dict[str, Float[np.ndarray, " houses"]], dict[str, dict[str, Any]]]:
    """Prices of all houses by every model, by the blend and by the baseline; and what was chosen how often."""
    outer = split_rows(np.arange(len(whole)), config.folds, config.seed)
    names = [FAMILIES[name].name for name in config.models]
    prices = {name: np.empty(len(whole)) for name in (*names, BLEND, houses_comparison.BASELINE)}
    cells: list[list[Cell]] = []
    weights: list[np.ndarray] = []
    with progress(len(outer) * len(names), f"{len(outer)} folds", unit="models") as bar:
        for number, split in enumerate(outer):
            training = _training(config, whole.take(split.fit))
            held = whole.take(split.held)
            cells.append([])
            for model in config.models:
                path = run.checkpoints / f"fold-{number}-{model}.safetensors"
                cell = _kept(path) or _computed(path, config, FAMILIES[model], training, held, accelerator)
                cells[-1].append(cell)
                prices[FAMILIES[model].name][split.held] = np.exp(cell.held)
                bar.advance(1)
            weights.append(blend_weights(np.stack([cell.inner for cell in cells[-1]]), training.log_prices))
            prices[BLEND][split.held] = np.exp(weights[-1] @ np.stack([cell.held for cell in cells[-1]]))
            prices[houses_comparison.BASELINE][split.held] = ridge_prices(training.houses, held.features)
    shares = np.mean(weights, axis=0)
    chosen = {
        name: {
            "weight in blend": float(share),
            "seconds a fold": float(np.mean([cell.seconds for cell in column])),
            "chosen most often": _most_often(column),
        }
        for name, share, column in zip(names, shares, zip(*cells, strict=True), strict=True)
    }
    return prices, chosen


def fit_to_all(config: CompareConfig, whole: Houses, run: Run, accelerator: Accelerator) -> None:
    """The same procedure on all houses, to predict those that have no price yet; writes RUN/models/."""
    say("fitting the models to all houses, to predict those without a price")
    training = _training(config, whole)
    inner = []
    for model in config.models:
        path = run.checkpoints / f"all-{model}.safetensors"
        cell = _kept(path)
        if cell is None:
            start = time.perf_counter()
            choice = choose(FAMILIES[model], training)
            found = _fit(config, FAMILIES[model], training, choice, accelerator)
            found.save(run.path / MODELS / f"{model}.safetensors")
            cell = Cell(np.empty(0), choice.inner, _in_words(choice), time.perf_counter() - start)
            _keep(path, cell)
        inner.append(cell.inner)
    weights = blend_weights(np.stack(inner), training.log_prices)
    write_json(run.path / MODELS / BLEND_FILE, dict(zip(config.models, weights.tolist(), strict=True)))


def _computed(
    path: Path, config: CompareConfig, family: Family, training: Training, held: Houses, accelerator: Accelerator
) -> Cell:
    start = time.perf_counter()
    choice = choose(family, training)
    found = _fit(config, family, training, choice, accelerator)
    cell = Cell(found.log_prices(held.features), choice.inner, _in_words(choice), time.perf_counter() - start)
    _keep(path, cell)
    return cell


def _fit(
    config: CompareConfig, family: Family, training: Training, choice: Choice, accelerator: Accelerator
) -> Pipeline:
    """Fit to all houses of the training what the inner folds have chosen."""
    groups = FEATURE_SETS[choice.feature_set]
    features, log_prices = training.houses.features, training.log_prices
    preprocessor = Preprocessor.fit(features, groups, config.trim)
    model: Fitted
    if family is FAMILIES["linear"]:
        loop = _loop(config, features=groups, **choice.options)
        model = descend(loop, preprocessor, training.houses, accelerator)
    else:
        model = family.fit(preprocessor.transform(features), log_prices, choice.options)
    return Pipeline(preprocessor, model, PriceRange.fit(features, log_prices, choice.margin))


def descend(config: Config, preprocessor: Preprocessor, train: Houses, accelerator: Accelerator) -> Linear:
    """The linear model, trained by the loop of `train`."""
    with unrecorded_run() as run:
        model = fit(config, preprocessor, PriceRange({}, {}, None), train, train, run, accelerator)
    accelerator.free_memory()
    return Linear(model.weight.detach().double().cpu().numpy(), model.bias.item())


def _loop(config: CompareConfig, **options: Any) -> Config:
    """Options of the loop, which validates once, at the end."""
    common: dict[str, Any] = {"data": config.data, "seed": config.seed, "device": config.device, "trim": config.trim}
    return Config(**common, epochs=1, passes=config.updates, checkpoint_seconds=3600.0, **options)


def _training(config: CompareConfig, part: Houses) -> Training:
    sets = {name: FEATURE_SETS[name] for name in config.feature_sets}
    return Training(part, config.inner_folds, config.seed, sets, config.trim)


def _in_words(choice: Choice) -> dict[str, Any]:
    return {
        "columns": choice.feature_set,
        **choice.options,
        "margin": choice.margin,
        "inner_rmse_log": choice.rmse_log,
    }


def _most_often(cells: tuple[Cell, ...]) -> str:
    """`all, penalty 20 (7 of 10 folds)`."""

    def words(chosen: Mapping[str, Any]) -> str:
        options = {name: value for name, value in chosen.items() if name not in ("columns", "inner_rmse_log")}
        return ", ".join([chosen["columns"], *(f"{name} {_plain(value)}" for name, value in options.items())])

    text, count = Counter(words(cell.chosen) for cell in cells).most_common(1)[0]
    return f"{text} ({count} of {len(cells)} folds)"


def _plain(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _keep(path: Path, cell: Cell) -> None:
    arrays = {"held": torch.from_numpy(cell.held), "inner": torch.from_numpy(cell.inner)}
    checkpoints.save(path, {"chosen": cell.chosen, "seconds": cell.seconds}, arrays=arrays)


def _kept(path: Path) -> Cell | None:
    """The cell, if it is there.

    Raises:
        InputError: if it is damaged.
    """
    if not path.exists():
        return None
    parts, values = checkpoints.load(path)
    return Cell(parts["arrays"]["held"].numpy(), parts["arrays"]["inner"].numpy(), values["chosen"], values["seconds"])
