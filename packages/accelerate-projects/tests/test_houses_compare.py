"""Nested cross-validation without leaks, a blend, and comparisons that go on where they stopped."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from accelerate_projects.houses import compare as comparing
from accelerate_projects.houses.cli import main
from accelerate_projects.houses.compare import compare
from accelerate_projects.houses.config import FEATURE_SETS, GROUPS, MODELS, CompareConfig
from accelerate_projects.houses.families import FAMILIES
from accelerate_projects.houses.fitted import Pipeline
from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.nested import MARGINS, Training, blend_weights, choose, split_rows
from accelerate_projects.houses.preprocessing import Preprocessor
from dl_shared.data.houses import Houses, read_houses
from dl_shared.runs import read_summary
from dl_shared.sample.houses import make_houses
from dl_shared.tasks import houses_comparison
from dl_shared.testing import refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As Kaggle's."""
    folder, table = tmp_path_factory.mktemp("houses"), make_houses(160, seed=0).table
    table.to_csv(folder / "train.csv", index=False)
    unknown = table.drop(columns="SalePrice").assign(Neighborhood="Atlantis", KitchenQual="Divine", LotFrontage="NA")
    unknown.head(9).to_csv(folder / "test.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def config(folder):
    options = {"feature_sets": ("made",), "folds": 2, "inner_folds": 2, "updates": 20}
    return CompareConfig(data=str(folder), models=("linear", "kernel"), **options)


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures take longer than comparisons as small as these; those of `finished` are drawn."""
    monkeypatch.setattr(houses_comparison, "_save_pictures", lambda *_: None)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    return compare(config, runs_dir=tmp_path_factory.mktemp("runs"))


def predictions(run):
    return pd.read_parquet(run / "predictions.parquet")


def test_every_house_is_held_out_once_and_never_fitted_on_then():
    splits = split_rows(np.arange(100, 130), 4, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([split.held for split in splits])), np.arange(100, 130))
    for split in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([split.fit, split.held])), np.arange(100, 130))


def test_prices_and_columns_of_an_outer_fold_change_nothing_that_predicts_it(
    config, folder, finished, tmp_path, undrawn
):
    """All prices of the first fold ten times as high, and one house of it a giant in an unknown place."""
    table = pd.read_csv(folder / "train.csv", dtype=str, keep_default_na=False)
    held = split_rows(np.arange(len(table)), config.folds, config.seed)[0].held
    table.loc[held, "SalePrice"] = (10 * table.loc[held, "SalePrice"].astype(int)).astype(str)
    giant = held[0]
    table.loc[giant, ["GrLivArea", "Neighborhood"]] = ["90000", "Atlantis"]
    table.to_csv(tmp_path / "train.csv", index=False)
    spoiled = compare(CompareConfig(**{**vars(config), "data": str(tmp_path)}), runs_dir=tmp_path / "runs")
    others = np.setdiff1d(held, giant)
    columns = [column for column in predictions(finished) if column not in ("SalePrice", "baseline")]
    for column in columns:
        np.testing.assert_array_equal(
            predictions(spoiled)[column].to_numpy()[others], predictions(finished)[column].to_numpy()[others], column
        )


def test_inner_folds_prepare_columns_from_their_own_houses(folder):
    houses = read_houses(folder)
    training = Training(houses, 3, 0, FEATURE_SETS, 0.01)
    columns, held = training.prepared("all", 1)
    split = training.splits[1]
    preprocessor = Preprocessor.fit(houses.features.iloc[split.fit], GROUPS, 0.01)
    np.testing.assert_array_equal(columns, preprocessor.transform(houses.features.iloc[split.fit]))
    np.testing.assert_array_equal(held, preprocessor.transform(houses.features.iloc[split.held]))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "boosting"])
def test_choices_have_the_smallest_error_on_houses_held_out(folder, name):
    """And that error is of predictions by models, and within limits, that did not see the house."""
    family, training = FAMILIES[name], Training(read_houses(folder), 2, 0, {"made": FEATURE_SETS["made"]}, 0.01)
    choice = choose(family, training)
    tried, scores = [(options, margin) for options in family.options for margin in MARGINS], []
    for options, margin in tried:
        errors = []
        for number, split in enumerate(training.splits):
            columns, held = training.prepared("made", number)
            predicted = family.fit(columns, training.log_prices[split.fit], options).predict(held)
            prices = PriceRange.fit(training.houses.features.iloc[split.fit], training.log_prices[split.fit], margin)
            predicted = prices.limit(predicted, training.houses.features.iloc[split.held])
            errors.append(predicted - training.log_prices[split.held])
        scores.append(float(np.sqrt(np.mean(np.square(np.concatenate(errors))))))
    assert choice.rmse_log == pytest.approx(min(scores), rel=1e-6)
    assert (choice.options, choice.margin) == tried[int(np.argmin(scores))]


def test_fewer_rounds_of_boosting_are_a_stage_of_more(folder, tmp_path):
    houses = read_houses(folder)
    preprocessor = Preprocessor.fit(houses.features, FEATURE_SETS["as they are"])
    columns, boosting = preprocessor.transform(houses.features), FAMILIES["boosting"]
    log_prices = np.log(houses.prices)
    longer, shorter = (boosting.fit(columns, log_prices, {"leaves": 6.0, "rounds": rounds}) for rounds in (30.0, 10.0))
    stage = longer.stages([10])[0]
    np.testing.assert_allclose(stage.predict(columns), shorter.predict(columns), rtol=1e-12)
    whole = Pipeline(preprocessor, stage, PriceRange.fit(houses.features, log_prices, 0.1))
    whole.save(tmp_path / "trees.safetensors")
    again = Pipeline.load(tmp_path / "trees.safetensors")
    np.testing.assert_array_equal(again.log_prices(houses.features), whole.log_prices(houses.features))


def test_no_house_is_predicted_far_beyond_the_prices_of_its_neighbourhood():
    houses = pd.DataFrame({"Neighborhood": ["Here"] * 6 + ["There"] * 6 + ["Alone"]})
    log_prices = np.concatenate([np.linspace(11, 12, 6), np.linspace(12, 13, 6), [10.0]])
    prices = PriceRange.fit(houses, log_prices, 0.1)
    asked = pd.DataFrame({"Neighborhood": ["Here", "Here", "Here", "There", "Alone", "Atlantis", np.nan]})
    np.testing.assert_allclose(
        prices.limit(np.array([13, 12.05, 9, 9, 9, 9, 9.0]), asked), [12.1, 12.05, 10.9, 11.9, 9, 9, 9]
    )
    again = PriceRange.from_json(json.loads(json.dumps(vars(prices))))
    assert again == prices
    np.testing.assert_array_equal(PriceRange.fit(houses, log_prices, None).limit(np.zeros(13), houses), np.zeros(13))


def test_a_blend_weighs_what_it_is_given():
    rng = np.random.default_rng(0)
    log_prices = rng.normal(12, 0.4, 5000)
    inner = log_prices + rng.normal(0, 1, (3, 5000)) * np.array([[0.1], [0.2], [0.1]])
    # Independent errors: weights in proportion to one over their variance; a model that is a worse copy gets none.
    np.testing.assert_allclose(blend_weights(inner, log_prices), [4 / 9, 1 / 9, 4 / 9], atol=0.02)
    worse = np.stack([inner[0], log_prices + 3 * (inner[0] - log_prices)])
    np.testing.assert_allclose(blend_weights(worse, log_prices), [1, 0], atol=1e-6)


def test_the_table_has_a_row_for_each_model_with_paired_differences(finished):
    test = read_summary(finished)["metrics"]["test"]
    rows = test["models"]
    assert set(rows) == {
        "blend",
        "ridge on the columns as they are",
        *(FAMILIES[m].name for m in ("linear", "kernel")),
    }
    assert rows["blend"]["rmse_log"] == test["rmse_log"]
    for name, row in rows.items():
        assert row["rmse_log_ci"][0] < row["rmse_log"] < row["rmse_log_ci"][1]
        if name != "blend":
            assert row["rmse_log_more"] == pytest.approx(row["rmse_log"] - test["rmse_log"])
    assert sum(row.get("weight in blend", 0) for row in rows.values()) == pytest.approx(1)


def test_descent_with_a_threshold_ends_where_the_equations_do(folder):
    houses = read_houses(folder)
    training = Training(houses, 2, 0, {"made": FEATURE_SETS["made"]}, 0.01)
    config = CompareConfig(data=str(folder), updates=800, feature_sets=("made",), models=("linear",))
    choice = choose(FAMILIES["linear"], training)
    accelerator = comparing.make_accelerator(comparing._loop(config))
    found = comparing._fit(config, FAMILIES["linear"], training, choice, accelerator)
    columns = found.preprocessor.transform(houses.features)
    equations = FAMILIES["linear"].fit(columns, training.log_prices, choice.options)
    np.testing.assert_allclose(found.model.predict(columns), equations.predict(columns), atol=2e-4)


def test_killed_it_goes_on_with_the_cell_that_is_missing(config, finished, tmp_path, monkeypatch, undrawn):
    """Cells are whole files; what a kill leaves is some of them."""
    computed = []

    def counting(path, *arguments):
        if len(computed) == 1:
            raise KeyboardInterrupt
        computed.append(path.name)
        return original(path, *arguments)

    original = comparing._computed
    monkeypatch.setattr(comparing, "_computed", counting)
    with pytest.raises(KeyboardInterrupt) as stopped:
        compare(config, runs_dir=tmp_path)
    (run,) = (tmp_path / "accelerate-houses").iterdir()
    assert f"resume with: accelerate-houses compare --resume {run}" in stopped.value.__notes__
    monkeypatch.setattr(comparing, "_computed", lambda path, *rest: computed.append(path.name) or original(path, *rest))
    compare(config, resume=run)
    assert sorted(computed) == sorted(f"fold-{fold}-{model}.safetensors" for fold in (0, 1) for model in config.models)
    pd.testing.assert_frame_equal(predictions(run), predictions(finished))


@pytest.mark.parametrize("model", [None, "blend", "linear", "kernel"])
def test_any_model_predicts_houses_with_unknown_categories(capsys, folder, finished, model):
    chosen = [] if model is None else ["--model", model]
    assert main(["predict", "--run", str(finished), str(folder / "test.csv"), *chosen, "--json"]) == 0
    prices = [row["SalePrice"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert len(prices) == 9
    assert all(20_000 < price < 2_000_000 for price in prices)


def test_a_blend_is_the_weighted_mean_of_log_prices(folder, finished):
    houses = read_houses(folder / "test.csv", priced=False)
    weights = json.loads((finished / "models" / "blend.json").read_text())
    by_model = {name: comparing_log_prices(finished, houses, name) for name in (*weights, "blend")}
    expected = sum(weight * by_model[name] for name, weight in weights.items())
    np.testing.assert_allclose(by_model["blend"], expected, rtol=1e-9)


def comparing_log_prices(run, houses: Houses, model: str):
    from accelerate_projects.houses.predict import predict_by_run

    return np.log(predict_by_run(run, houses, model))


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (lambda run: None, ["--model", "oracle"], "--model must be one of blend, kernel, linear"),
        (lambda run: (run / "models/kernel.safetensors").write_bytes(b"?"), ["--model", "kernel"], "damaged"),
        (lambda run: (run / "models/blend.json").write_text('{"gone": 1}'), [], "does not weigh"),
    ],
    ids=["unknown", "damaged", "blend"],
)
def test_models_that_are_not_there(capsys, tmp_path, folder, finished, spoil, arguments, message):
    run = shutil.copytree(finished, tmp_path / "run")
    spoil(run)
    assert message in refused(capsys, main, "predict", "--run", run, folder / "test.csv", *arguments)


def test_it_is_not_scored_on_what_it_was_fitted_to(capsys, folder, finished, tmp_path):
    assert "fitted to all" in refused(capsys, main, "evaluate", "--run", finished, "--data", folder)
    make_houses(160, seed=1).table.to_csv(tmp_path / "train.csv", index=False)
    run = shutil.copytree(finished, tmp_path / "run")
    assert main(["evaluate", "--run", str(run), "--data", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["rmse_log"] < 0.5


@pytest.mark.parametrize(
    "changes",
    [{"models": ("linear", "oracle")}, {"models": ()}, {"feature_sets": ("colours",)}, {"folds": 1}, {"trim": 0.5}],
    ids=lambda changes: "-".join(changes),
)
def test_comparisons_that_cannot_work(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        CompareConfig(**changes)
