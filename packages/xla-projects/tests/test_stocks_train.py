"""Two compilations and no third; killed and resumed, on one device and on four, the run ends as one never stopped."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from resuming import Stopped, Training, stopped_after
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.data.draws import Draws
from dl_shared.data.windows import trainable_ends
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.tasks import stocks
from dl_shared.testing.checkpoints import assert_same_end
from dl_shared.testing.kills import KILLS, survive
from xla_projects.device import compilations
from xla_projects.keeper import Keeper
from xla_projects.stocks.config import Config
from xla_projects.stocks.data import load_data
from xla_projects.stocks.train import train

EPOCHS = 3


@pytest.fixture(autouse=True, scope="module")
def without_pictures():
    """They have tests of their own, and drawing them takes most of the time of runs as small as these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stocks, "save_pictures", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = write_prices(tmp_path_factory.mktemp("data") / "prices", days=500)
    # A width of its own shares no graph with other tests, and so can count its own.
    more = {"epochs": EPOCHS, "stride": 4, "checkpoint_seconds": 0.0, "adaptation": 0.2, "hidden": 9}
    return Training("xla-stocks", {**OPTIONS, **more, "data": str(folder)})


@pytest.fixture(scope="module")
def steps(training):
    """Of an epoch."""
    rows = len(trainable_ends(load_data(Config(**training.options)).train))
    return Draws(rows, training.options["batch_size"], 0).steps_per_epoch // training.options["stride"]


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    before = compilations()
    run = train(Config(**training.options), runs_dir=tmp_path_factory.mktemp("whole"))
    assert compilations() - before == 2, "one to train, one to validate and to test"
    return run


def test_a_run_records_its_cost_its_log_its_inputs_and_its_intervals(uninterrupted, steps):
    summary = read_summary(uninterrupted)
    assert summary["cost"]["compilations"] == 2
    assert summary["cost"].keys() >= {"train_seconds", "examples_per_second", "parameters", "device", "devices"}
    rows = read_history(uninterrupted)
    assert [(row["epoch"], row["split"], row["step"]) for row in rows] == [
        (epoch, split, epoch * steps) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")
    ]
    assert {"mae", "skill", "crps", "coverage"} <= summary["metrics"]["test"].keys()
    assert {"arima", "drift"} <= summary["metrics"]["baselines"].keys()
    assert "diebold_mariano" in summary["metrics"]["baselines"]["arima"]
    assert summary["metrics"]["fixed_intervals"]["coverage"] != summary["metrics"]["test"]["coverage"]


def test_rates_and_dates_are_inputs_of_the_graph(training, uninterrupted, tmp_path):
    """Another learning rate, warm-up and order of the data: nothing is compiled again."""
    before = compilations()
    train(
        Config(**{**training.options, "learning_rate": 1.0, "warmup": 0.0, "seed": 5, "epochs": 1}), runs_dir=tmp_path
    )
    assert compilations() == before


@pytest.fixture(scope="module")
def whole(training, tmp_path_factory):
    """A run never stopped, with its pictures."""
    return training.whole(tmp_path_factory.mktemp("with pictures"))


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, whole, kills):
    survive(training, kills, tmp_path, whole, assert_same_end)


def test_killed_between_its_first_log_and_its_first_checkpoint_it_logs_nothing_twice(
    training, tmp_path, uninterrupted, monkeypatch
):
    def killed(keeper):
        raise Stopped

    config = Config(**{**training.options, "checkpoint_seconds": 1e9})
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "save", killed)
        with pytest.raises(Stopped):
            train(config, runs_dir=tmp_path)
    run = find_run("last", tmp_path, training.project)
    assert len(read_history(run)) == 2
    train(config, resume=run)
    assert read_history(run) == read_history(uninterrupted)


@pytest.mark.parametrize("after", [1, 0, -1], ids=["within an epoch", "between epochs", "before the last update"])
def test_taken_up_after_an_update_it_ends_the_same(training, tmp_path, uninterrupted, after, steps, monkeypatch):
    with stopped_after(after + (steps if after >= 0 else EPOCHS * steps), monkeypatch):
        train(Config(**training.options), runs_dir=tmp_path)
    run = train(Config(**training.options), resume=find_run("last", tmp_path, training.project))
    assert_same_end(run, uninterrupted)


def test_a_run_begun_on_one_device_ends_on_four_as_it_would_on_one(training, tmp_path, monkeypatch):
    """Without dropout, of which four devices draw another."""
    options = training.options | {"dropout": 0.0}
    one = train(Config(**options), runs_dir=tmp_path / "one")
    with stopped_after(3, monkeypatch):
        train(Config(**options), runs_dir=tmp_path / "four")
    four = find_run("last", tmp_path / "four", training.project)
    training.resume(four, "--devices", "4")
    cost = read_summary(four)["cost"]
    assert (cost["devices"], cost["compilations"]) == (4, 2)
    losses = [[row["loss"] for row in read_history(run)] for run in (one, four)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    tables = [pq.read_table(run / "predictions.parquet").to_pandas().select_dtypes("number") for run in (one, four)]
    np.testing.assert_allclose(*tables, rtol=1e-4)


def test_the_other_cell_and_the_other_format_train_too(training, tmp_path):
    run = train(small(training.options["data"], epochs=1, cell="gru", precision="bf16"), runs_dir=tmp_path)
    summary = read_summary(run)
    assert summary["cost"]["precision"] == "bf16"
    assert abs(summary["metrics"]["test"]["skill"]) < 0.2
