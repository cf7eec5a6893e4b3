"""Train a linear model of log prices with Accelerate: the data as tensors, then the loop."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from accelerate_projects.batches import epoch_loader
from accelerate_projects.houses.config import Config
from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.model import LinearRegression, curvature_bounds, penalised_loss
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.houses.robust import choose_penalty
from accelerate_projects.keeper import Keeper
from accelerate_projects.processes import make_accelerator, start_run
from dl_shared.data.houses import Houses
from dl_shared.files import write_json
from dl_shared.metrics.regression import score_regression
from dl_shared.runs import Run
from dl_shared.tasks import houses

PREPROCESSOR, RANGE = "preprocessor.json", "price_range.json"


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, and report; returns the run directory. Processes other than the first end here.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    accelerator = make_accelerator(config)
    with start_run(
        accelerator,
        "accelerate-houses",
        config,
        task="houses",
        framework="accelerate",
        primary="rmse_log",
        higher_is_better=False,
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = houses.load(config.data, seed=config.seed)
        houses.record_data(run, data)
        assert data.train.prices is not None
        preprocessor = Preprocessor.fit(data.train.features, config.features, config.trim)
        prices = PriceRange.fit(data.train.features, np.log(data.train.prices), config.margin)
        if not run.follows:
            write_json(run.path / PREPROCESSOR, vars(preprocessor))
            write_json(run.path / RANGE, vars(prices))
        model = fit(config, preprocessor, prices, data.train, data.validation, run, accelerator)
        if run.follows:
            raise SystemExit(0)
        test, validation = (predict_prices(model, preprocessor, prices, part) for part in (data.test, data.validation))
        parts = explain_prices(model, preprocessor, prices, data.test)
        houses.report(run, data, test, validation, parts)
    return run.path


class Rows(NamedTuple):
    """Houses as tensors."""

    features: Float[Tensor, "houses columns"]
    log_prices: Float[Tensor, " houses"]
    counted: Float[Tensor, " houses"]
    """1 for a house, 0 for a row that only fills the last of several equal parts."""


class Table(Dataset):
    """All rows, on the device.

    Args:
        preprocessor: fitted.
        part: houses with prices.
        device: where to put them.
        parts: the number of rows is filled up to a multiple of this.
    """

    def __init__(self, preprocessor: Preprocessor, part: Houses, device: torch.device, *, parts: int = 1) -> None:
        assert part.prices is not None
        filling = np.zeros(-len(part) % parts)
        features = preprocessor.transform(part.features)
        self.rows = Rows(
            *(
                torch.tensor(np.concatenate(columns), dtype=torch.float32, device=device)
                for columns in (
                    (features, np.zeros((len(filling), features.shape[1]))),
                    (np.log(part.prices), filling),
                    (np.ones(len(part)), filling),
                )
            )
        )

    def __len__(self) -> int:
        return len(self.rows.counted)

    def __getitems__(self, rows: list[int]) -> Rows:
        chosen = torch.tensor(rows, device=self.rows.counted.device)
        return Rows(*(values[chosen] for values in self.rows))


def fit(
    config: Config,
    preprocessor: Preprocessor,
    prices: PriceRange,
    train: Houses,
    validation: Houses,
    run: Run,
    accelerator: Accelerator,
) -> LinearRegression:
    """Train to the end, from the last checkpoint if there is one; returns the model.

    Args:
        config: of the run.
        preprocessor: fitted to the training houses.
        prices: limits the predictions that are scored.
        train: is learned from.
        validation: is scored after every epoch; nothing is chosen by it.
        run: keeps checkpoints and scores.
        accelerator: as `make_accelerator` makes it.

    Raises:
        InputError: if the loss is no longer finite.
    """
    parts = config.accumulate * accelerator.num_processes
    table = Table(preprocessor, train, accelerator.device, parts=parts)
    batch_size = min(config.batch_size, len(table))
    houses_counted = len(train) if batch_size == len(table) else batch_size  # in a batch of all processes

    features, log_prices = (values[: len(train)] for values in table.rows[:2])
    model = LinearRegression(len(preprocessor.names), mean=log_prices.mean().item())
    threshold = config.threshold or math.inf
    penalty = config.penalty or choose_penalty(
        features.double().cpu().numpy(), log_prices.double().cpu().numpy(), threshold, seed=config.seed
    )
    largest, smallest = curvature_bounds(features, penalty)
    # Momentum for a quadratic whose curvatures are known (Nesterov 2004, section 2.2.1).
    momentum = (math.sqrt(largest) - math.sqrt(smallest)) / (math.sqrt(largest) + math.sqrt(smallest))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=config.learning_rate or 1 / largest, momentum=momentum, nesterov=momentum > 0
    )
    loader = epoch_loader(table, batch_size, seed=config.seed, accumulate=config.accumulate, passes=config.passes)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    keeper = Keeper(
        accelerator,
        config,
        run,
        model,
        optimizer,
        steps_per_epoch=len(loader) // config.accumulate,
        batch_size=batch_size,
        unit="houses",
        metric="rmse_log",
        higher_is_better=None,  # the loss has one optimum, and the newest epoch is the nearest to it
    )

    with keeper.working():
        for epoch in range(keeper.epoch, config.epochs):
            loader.set_epoch(epoch)
            for batch in keeper.remaining(loader):
                with accelerator.accumulate(model):
                    predicted = model(batch.features)
                    weight = accelerator.unwrap_model(model).weight
                    errors, shrinkage = penalised_loss(
                        predicted, batch.log_prices, batch.counted, weight, penalty, threshold
                    )
                    # Gradients are averaged over processes and parts, each of which has a share of the houses.
                    accelerator.backward(errors * parts / houses_counted + shrinkage / len(train))
                    optimizer.step()
                    optimizer.zero_grad()
                keeper.after_batch(torch.stack([errors, batch.counted.sum()]))
            total, counted = keeper.train_sums()
            scores = validate(accelerator.unwrap_model(model), preprocessor, prices, validation)
            keeper.after_epoch({"loss": total / counted}, scores)
    keeper.record_cost()

    return accelerator.unwrap_model(model).eval()


@torch.inference_mode()
def predict_prices(
    model: LinearRegression, preprocessor: Preprocessor, prices: PriceRange, part: Houses
) -> Float[np.ndarray, " houses"]:
    """Prices in dollars: the exponential of the predicted log price, within its range."""
    features = torch.tensor(preprocessor.transform(part.features), dtype=torch.float32, device=model.weight.device)
    return np.exp(prices.limit(model(features).double().cpu().numpy(), part.features))


def explain_prices(
    model: LinearRegression, preprocessor: Preprocessor, prices: PriceRange, part: Houses
) -> pd.DataFrame:
    """How much each column moves the log price of each house from that of the mean training house.

    A linear model is a sum of such parts, weight x (value - mean). The last column is what the limits on the price add
    or take away.
    """
    weight = model.weight.detach().double().cpu().numpy()
    parts = pd.DataFrame(preprocessor.transform(part.features) * weight, columns=preprocessor.names)
    log_prices = parts.sum(axis=1).to_numpy() + model.bias.item()
    return parts.assign(**{"prices of its neighbourhood": prices.limit(log_prices, part.features) - log_prices})


def validate(model: LinearRegression, preprocessor: Preprocessor, prices: PriceRange, part: Houses) -> dict[str, float]:
    """`loss`, the mean squared error of the log price, and `rmse_log`, its root."""
    assert part.prices is not None
    scores = score_regression(predict_prices(model, preprocessor, prices, part), part.prices, replicates=0)
    return {"loss": scores["rmse_log"] ** 2, "rmse_log": scores["rmse_log"]}
