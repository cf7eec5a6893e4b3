"""Ridge regression by descent; killed, interrupted, resumed, in two processes: the run ends as one never stopped."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from resuming import Training
from scipy.optimize import minimize
from sklearn.linear_model import RidgeCV

from accelerate_projects import checkpoints
from accelerate_projects.houses.config import Config
from accelerate_projects.houses.model import penalised_loss
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.houses.robust import PENALTIES, solve
from accelerate_projects.houses.train import train
from accelerate_projects.keeper import Keeper
from dl_shared.runs import find_run, read_config, read_history, read_summary
from dl_shared.tasks import houses
from dl_shared.testing.checkpoints import assert_same_end
from dl_shared.testing.kills import KILLS, survive


@pytest.fixture(scope="module")
def training():
    options = {
        "data": "sample",
        "epochs": 4,
        "passes": 3,
        "batch_size": 180,
        "penalty": 20.0,
        "accumulate": 2,
        "checkpoint_seconds": 0.0,
    }
    return Training("accelerate-houses", options)


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    return training.whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def converged(tmp_path_factory):
    """With squared errors, and no limits."""
    return train(Config(data="sample", threshold=0.0, margin=None), runs_dir=tmp_path_factory.mktemp("runs"))


def test_descent_ends_where_ridge_regression_is(converged):
    config, data = read_config(converged, Config), houses.load("sample", seed=0)
    preprocessor = Preprocessor.fit(data.train.features, config.features, config.trim)
    ridge = RidgeCV(PENALTIES).fit(preprocessor.transform(data.train.features), np.log(data.train.prices))
    model = checkpoints.load(converged / "checkpoints" / "best.safetensors")[0]["model"]
    np.testing.assert_allclose(model["weight"].numpy(), ridge.coef_, atol=1e-5)
    assert model["bias"].item() == pytest.approx(ridge.intercept_, abs=1e-5)
    predicted = pq.read_table(converged / "predictions.parquet")["predicted"].to_numpy()
    np.testing.assert_allclose(predicted, np.exp(ridge.predict(preprocessor.transform(data.test.features))), rtol=1e-4)


def test_with_a_threshold_it_ends_where_a_solver_ends_that_knows_the_loss_alone():
    rng = np.random.default_rng(0)
    features, threshold, penalty = rng.normal(size=(80, 5)), 0.1, 3.0
    log_prices = features @ [0.3, -0.2, 0.1, 0.0, 0.05] + 12 + 0.1 * rng.standard_t(2, 80)

    def loss(parameters):
        errors = np.abs(features @ parameters[:-1] + parameters[-1] - log_prices)
        huber = np.where(errors <= threshold, errors**2, 2 * threshold * errors - threshold**2)
        return huber.sum() + penalty * np.square(parameters[:-1]).sum()

    found = minimize(loss, np.append(np.zeros(5), 12.0), method="BFGS", options={"gtol": 1e-7}).x
    weight, bias = solve(features, log_prices, penalty, threshold)
    np.testing.assert_allclose(np.append(weight, bias), found, atol=1e-5)
    ours = penalised_loss(
        *(torch.tensor(values) for values in (features @ weight + bias, log_prices, np.ones(80), weight)),
        penalty,
        threshold,
    )
    assert sum(ours).item() == pytest.approx(loss(found), rel=1e-9)


def test_the_largest_errors_are_explained_by_what_the_model_says(converged):
    explained = read_summary(converged)["metrics"]["test"]["largest_errors"]
    predicted = pq.read_table(converged / "predictions.parquet").to_pandas().set_index("Id")
    errors = np.log(predicted["predicted"] / predicted["SalePrice"]).abs().sort_values(ascending=False)
    assert list(explained) == [f"house {number}" for number in errors.index[: len(explained)]]
    assert "%" in next(iter(explained.values()))["moved by"]


def test_the_gap_is_closed_on_sample_data(converged):
    metrics = read_summary(converged)["metrics"]
    assert metrics["gap_closed"] > 0.9
    assert metrics["baseline"]["rmse_log"] > 1.5 * metrics["test"]["rmse_log"]


def test_a_run_records_its_cost_and_validates_every_epoch(uninterrupted):
    cost = {
        "train_seconds",
        "examples_per_second",
        "parameters",
        "peak_memory_bytes",
        "device",
        "precision",
        "processes",
    }
    assert read_summary(uninterrupted)["cost"].keys() >= cost
    splits = [(row["epoch"], row["split"]) for row in read_history(uninterrupted)]
    assert splits == [(epoch, split) for epoch in range(1, 5) for split in ("train", "validation")]


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_killed_between_its_first_log_and_its_first_checkpoint_it_logs_nothing_twice(
    training, tmp_path, uninterrupted, monkeypatch
):
    def killed(keeper):
        raise RuntimeError("killed")

    config = Config(**{**training.options, "checkpoint_seconds": 1e9})
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "save", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train(config, runs_dir=tmp_path)
    run = find_run("last", tmp_path, training.project)
    assert len(read_history(run)) == 2
    train(config, resume=run)
    assert read_history(run) == read_history(uninterrupted)


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.05)
    training.resume(run)
    assert_same_end(run, uninterrupted)


def test_two_processes_equal_one(training, tmp_path, uninterrupted):
    with training.launch(tmp_path, processes=2) as process:
        printed, errors = process.communicate()
    assert process.returncode == 0, errors
    run = find_run("last", tmp_path, training.project)
    assert printed.count(str(run / "report.html")) == 1, "the process that follows prints nothing"
    assert read_summary(run)["cost"]["processes"] == 2
    ours, theirs = (
        checkpoints.load(path / "checkpoints" / "last.safetensors")[0]["model"] for path in (run, uninterrupted)
    )
    np.testing.assert_allclose(ours["weight"].numpy(), theirs["weight"].numpy(), atol=1e-6)
    losses = [[row["loss"] for row in read_history(path)] for path in (run, uninterrupted)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_lost_process_stops_the_others_with_one_line_and_the_run_goes_on_without_it(
    training, tmp_path, uninterrupted
):
    run, errors = training.worker_killed(tmp_path, passes=30)
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "another process was lost" in line
    assert f"resume with: accelerate-houses train --resume {run}" in line
    training.resume(run)
