"""The console script from outside: what is answered, and what is refused in one line."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from accelerate_projects.houses.cli import main
from accelerate_projects.houses.config import Config
from accelerate_projects.houses.train import train
from dl_shared.sample.houses import make_houses
from dl_shared.tasks import houses
from dl_shared.testing import help_without_frameworks, refused


@pytest.fixture(scope="module")
def table():
    return make_houses(200, seed=0).table


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    """As Kaggle's folder."""
    folder = tmp_path_factory.mktemp("houses")
    table.to_csv(folder / "train.csv", index=False)
    table.drop(columns="SalePrice").to_csv(folder / "test.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return train(Config(data=str(folder), epochs=2), runs_dir=tmp_path_factory.mktemp("runs"))


def test_help_and_refusals_import_no_framework():
    assert "--penalty" in help_without_frameworks(
        "accelerate_projects.houses.cli", "train", "predict", "compare", "tune"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"features": ("sizes", "colours")},
        {"features": ()},
        {"features": ("sizes", "sizes")},
        {"penalty": -1.0},
        {"threshold": -1.0},
        {"margin": -0.1},
        {"learning_rate": -1.0},
        {"trim": 0.5},
        {"passes": 0},
        {"batch_size": 10, "accumulate": 3},
        {"checkpoint_seconds": -1.0},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_options_that_cannot_work(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Config(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "xla-projects"),
        (["--device", "gpu"], "no GPU"),
        (["--precision", "fp16"], "needs a GPU"),
        (["--data", "hub"], "Kaggle"),
        (["--learning-rate", "1000"], "smaller --learning-rate"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_here(capsys, tmp_path, folder, arguments, message):
    given = ["--data", folder, "--epochs", 2, "--runs-dir", tmp_path, *arguments]
    assert message in refused(capsys, main, "train", *given)
    assert not list(tmp_path.glob("accelerate-houses/*/metrics.jsonl"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns="SalePrice"), "lacks the column SalePrice"),
        (lambda table: table.drop(columns=["LotArea", "Alley"]), "LotArea, Alley"),
        (lambda table: table.assign(LotArea="many"), "LotArea is 'many' in row 1, not a number"),
        (lambda table: table.assign(SalePrice=["NA", *table["SalePrice"][1:]]), "SalePrice is missing in row 1"),
        (lambda table: table.head(50), "too few"),
    ],
    ids=["no target", "columns missing", "words for numbers", "a price missing", "few houses"],
)
def test_tables_that_cannot_be_used(capsys, tmp_path, table, spoil, message):
    spoil(table).to_csv(tmp_path / "train.csv", index=False)
    assert message in refused(capsys, main, "train", "--data", tmp_path, "--runs-dir", tmp_path / "runs")
    assert not list(tmp_path.glob("runs/*/*")), "a wrong table leaves no run behind"


def test_a_column_with_nothing_in_it_and_unknown_categories_are_no_hindrance(tmp_path, table, finished):
    empty = table.assign(LotFrontage="NA", MasVnrType="NA")
    empty.to_csv(tmp_path / "train.csv", index=False)
    assert main(["train", "--data", str(tmp_path), "--epochs", "2", "--runs-dir", str(tmp_path / "runs")]) == 0
    unknown = table.drop(columns="SalePrice").assign(Neighborhood="Atlantis", KitchenQual="Divine", PoolQC="NA")
    unknown.to_csv(tmp_path / "test.csv", index=False)
    assert main(["predict", "--run", str(finished), str(tmp_path / "test.csv"), "--json"]) == 0


def test_predict_writes_what_kaggle_takes(capsys, tmp_path, folder, finished):
    output = tmp_path / "submission.csv"
    assert main(["predict", "--run", str(finished), str(folder / "test.csv"), "--output", str(output), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    written = pd.read_csv(output)
    assert list(written.columns) == ["Id", "SalePrice"]
    assert written["Id"].tolist() == [row["Id"] for row in rows] == list(range(1, 201))
    np.testing.assert_allclose(written["SalePrice"], [row["SalePrice"] for row in rows], atol=0.01)
    tested = pq.read_table(finished / "predictions.parquet").to_pandas().set_index("Id")["predicted"]
    np.testing.assert_allclose(written.set_index("Id")["SalePrice"][tested.index], tested, rtol=1e-4)


def test_evaluate_gives_the_test_scores_back(capsys, folder, finished):
    assert main(["evaluate", "--run", str(finished), "--data", str(folder), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["test"]
    summary = json.loads((finished / "summary.json").read_text())
    assert scores["rmse_log"] == pytest.approx(summary["metrics"]["test"]["rmse_log"], rel=1e-5)


def test_explore_writes_one_page_of_the_training_houses(capsys, tmp_path, folder):
    page = tmp_path / "new" / "page.html"
    assert main(["explore", "--data", str(folder), "--output", str(page), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    train_part = houses.load(str(folder), seed=0).train
    assert said["houses"] == len(train_part) < 200
    assert said["median_price"] == np.median(train_part.prices)
    html = page.read_text()
    assert html.count('src="data:image/png;base64,') == html.count("<img") == 8
    assert "Neighbourhoods" in html
    assert "does not exist" in refused(capsys, main, "explore", "--data", tmp_path / "none.csv")


def test_files_and_runs_that_are_not_there(capsys, tmp_path, finished, folder):
    assert "does not exist" in refused(capsys, main, "predict", "--run", finished, tmp_path / "none.csv")
    assert "no run" in refused(capsys, main, "predict", "--runs-dir", tmp_path, folder / "test.csv")
    assert "finished" in refused(capsys, main, "train", "--resume", finished)


@pytest.mark.parametrize("file", ["checkpoints/best.safetensors", "preprocessor.json", "price_range.json"])
def test_a_damaged_run(capsys, tmp_path, finished, folder, file):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / file).write_bytes((run / file).read_bytes()[:100])
    assert file.rpartition("/")[2] in refused(capsys, main, "predict", "--run", run, folder / "test.csv")
