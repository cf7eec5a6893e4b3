"""The run around the training: data, network, calibration on validation data, one test at the end."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int

from dl_shared.data.scalers import Scaler
from dl_shared.data.splits import Cuts
from dl_shared.data.windows import Windows
from dl_shared.metrics.forecasting import score_intervals
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_outputs import Outputs
from lightning_projects.checkpoints import explaining_damage
from lightning_projects.fitting import fit
from lightning_projects.processes import forget_run, start_run
from lightning_projects.stocks.config import LEVELS, Config
from lightning_projects.stocks.data import StocksData
from lightning_projects.stocks.model import Forecaster
from lightning_projects.stocks.module import Regressor

PROJECT = "lightning-stocks"
MONITOR = "validation/loss"
PREDICTED_AT_ONCE = 2048


class Predictor:
    """A trained network on its device, applied to any number of windows.

    Args:
        network: ready to predict.
        device: where to compute; in float32, whatever the training was in.
    """

    def __init__(self, network: Forecaster, device: torch.device) -> None:
        self.network, self.device = network.to(device), device

    def __call__(self, windows: Windows) -> Float32[np.ndarray, "windows horizon"]:
        """What the network puts out on the last day of each window."""
        return self.rows(windows.series, windows.ends, windows.lookback)

    @torch.inference_mode()
    def rows(
        self, values: Float32[np.ndarray, "rows features"], ends: Int[np.ndarray, " windows"], lookback: int
    ) -> Float32[np.ndarray, "windows horizon"]:
        """The same for windows of scaled features that end in the given rows."""
        series, back = torch.from_numpy(values).to(self.device), torch.arange(1 - lookback, 1)
        chunks = torch.from_numpy(ends).split(PREDICTED_AT_ONCE)
        return np.concatenate([self.network.forecast(series[rows[:, None] + back]).cpu().numpy() for rows in chunks])


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, calibrate, test once, report; returns the run directory. A process that follows another ends here.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    options: dict[str, Any] = {"task": "stocks", "framework": "lightning", "primary": "mae", "higher_is_better": False}
    try:
        with start_run(PROJECT, config, **options, runs_dir=runs_dir, resume=resume) as run:
            data = load_data(config)
            stocks.record_data(run, data)
            for note in () if run.follows else data.notes:
                say(note)
            datamodule = StocksData(config, data)
            network, device = fit_network(config, datamodule, run)
            if run.follows:
                raise SystemExit(0)
            report(run, data, datamodule.outputs, Predictor(network, device))
    finally:
        forget_run()
    return run.path


def load_data(
    config: Config,
    *,
    source: str | None = None,
    tickers: tuple[str, ...] = (),
    cuts: Cuts | None = None,
    scaler: Scaler | None = None,
) -> stocks.Data:
    """The data of a run, or others prepared in the same way.

    Args:
        config: what to load and how.
        source: other data than the config's, with no companies kept apart.
        tickers: of that source; all when empty.
        cuts: the dates between the parts, of a finished run.
        scaler: of a finished run.
    """
    own = source is None
    return stocks.load(
        source or config.data,
        seed=config.seed,
        lookback=config.lookback,
        horizon=config.horizon,
        tickers=config.tickers if own else tickers,
        features=config.features,
        exogenous=config.exogenous,
        exogenous_lag_days=config.exogenous_lag_days,
        test_tickers=config.test_tickers if own else (),
        cuts=cuts,
        scaler=scaler,
        sample_signal=config.sample_signal,
    )


def fit_network(config: Config, datamodule: StocksData, run: Run) -> tuple[Forecaster, torch.device]:
    """The network of the best epoch, and the device on which it was trained."""
    module, data = make_module(config, datamodule), datamodule.data
    say(f"{len(data.train):,} training windows of {len(data.train.tickers)} companies, {config.precision}")
    best = fit(module, datamodule, config, run, monitor=MONITOR, mode="min")
    device = module.trainer.strategy.root_device
    return restore_network(config, best["state_dict"], len(data.features)), device


def make_module(config: Config, datamodule: StocksData) -> Regressor:
    """The module before its first step."""
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # the initial weights
    network = Forecaster(config, features=len(datamodule.data.features))
    return Regressor(config, network, config.epochs * datamodule.steps_per_epoch)


def report(run: Run, data: stocks.Data, outputs: Outputs, predictor: Predictor) -> None:
    """Calibrate the intervals on the validation part, keep them, and score the test part.

    Beside them, under `fixed_intervals`, stand those that stay as validation made them.
    """
    test = data.test
    validated, forecasts = (
        outputs.to_returns(predictor(part), data.volatility(name))
        for name, part in (("validation", data.validation), ("test", test))
    )
    outputs = outputs.calibrated(data, validated)
    outputs.save(run.path)
    metrics = stocks.report(
        run,
        data,
        forecasts,
        quantiles=outputs.test_quantiles(data, forecasts),
        levels=LEVELS,
        validation_forecasts=validated,
    )
    fixed = outputs.unmoved().test_quantiles(data, forecasts)
    before = score_intervals(fixed, test.targets, test.base_prices, LEVELS, dates=test.dates)
    run.update("metrics", fixed_intervals=before)
    say(
        f"90 % intervals cover {metrics['test']['coverage']:.3f} of test targets, {before['coverage']:.3f} as they were"
        " after validation"
    )
    for finding in metrics["analysis"].values():
        say(finding["sentence"])


def restore_network(config: Config, state: dict[str, torch.Tensor], features: int) -> Forecaster:
    """The network of a checkpoint, ready to predict.

    Raises:
        InputError: if the weights are of another network.
    """
    network = Forecaster(config, features=features)
    own = {name.removeprefix("network."): tensor for name, tensor in state.items()}
    with explaining_damage(Path("best.ckpt")):
        network.load_state_dict(own)
    return network.eval()
