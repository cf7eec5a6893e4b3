"""Shakespeare, IMDb and houses as tasks: load, split, score beside baseline and optimum, and write a run."""

import json

import numpy as np
import pandas as pd
import pytest

from dl_shared.config import TrainConfig
from dl_shared.data.houses import ABSENT
from dl_shared.errors import InputError
from dl_shared.runs import Run
from dl_shared.sample.houses import make_houses
from dl_shared.tasks import houses, imdb, shakespeare


def start(tmp_path, task: str, primary: str, higher: bool = False) -> Run:
    config = TrainConfig(epochs=1, batch_size=8)
    return Run.start(
        f"try-{task}", config, task=task, framework="none", primary=primary, higher_is_better=higher, runs_dir=tmp_path
    )


def check_run(run: Run, metrics: dict, primary: str, pictures: set[str]) -> None:
    """What every report leaves behind."""
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["metrics"]["test"][primary] == metrics["test"][primary]
    assert summary["metrics"]["baseline"][primary] == metrics["baseline"][primary]
    low, high = metrics["test"][f"{primary}_ci"]
    assert low <= metrics["test"][primary] <= high
    assert pictures <= {path.stem for path in (run.path / "plots").glob("*.png")}
    assert (run.path / "report.html").stat().st_size > 1000


class TestShakespeare:
    def test_load_cuts_the_sample_between_lines(self):
        data = shakespeare.load("sample", seed=1, sample_lines=400)
        assert data.rows.keys() == {"train", "validation", "test"}
        assert all(text.endswith("\n") for text in (data.train_text, data.validation_text, data.test_text))
        assert data.test_text.count("\n") == 40
        assert data.grammar is not None
        assert all(data.grammar.accepts(line) for line in data.test_text.splitlines())
        assert data.vocab.decode(data.test) == data.test_text
        assert data.optimum["loss"] == pytest.approx(data.grammar.entropy, rel=0.25)
        assert data.fingerprint == shakespeare.load("sample", seed=1, sample_lines=400).fingerprint
        assert data.fingerprint != shakespeare.load("sample", seed=2, sample_lines=400).fingerprint

    def test_load_keeps_the_last_tenth_of_a_file_for_testing(self, tmp_path):
        (tmp_path / "a.txt").write_text("abcdefghij" * 150 + "z" * 10)
        data = shakespeare.load(str(tmp_path / "a.txt"))
        assert data.test_text == ("abcdefghij" * 150 + "z" * 10)[1359:]
        assert (data.test[-10:] == 0).all()  # the training text has no z
        assert data.optimum is None
        with pytest.raises(InputError, match="at least 100 lines"):
            shakespeare.load("sample", sample_lines=3)

    def test_prompts_stand_in_the_test_text_before_their_references(self):
        data = shakespeare.load("sample", sample_lines=200)
        chosen = shakespeare.prompts(data, count=5, before=20, after=30)
        assert len(chosen) == 5
        assert all(prompt.text + prompt.reference in data.test_text for prompt in chosen)
        assert {(len(prompt.text), len(prompt.reference)) for prompt in chosen} == {(20, 30)}
        with pytest.raises(ValueError, match="has no place"):
            shakespeare.prompts(data, before=10**6)

    def test_report(self, tmp_path):
        data = shakespeare.load("sample", sample_lines=600)
        lines = data.test_text.splitlines()
        samples = [
            shakespeare.Sample("ALDA", f"rest\n{lines[0]}\nnot of the grammar\n{lines[1]}\ncut o", reference=lines[0])
        ]
        with start(tmp_path, "shakespeare", "loss") as run:
            for step, loss in enumerate((2.0, 1.0)):
                run.log(step=step, epoch=step, split="train", loss=loss)
            optimal = np.full(len(data.test), data.optimum["loss"])
            shakespeare.record_data(run, data)
            metrics = shakespeare.report(run, data, optimal, samples, validation_nats=np.ones(len(data.validation)))
        check_run(run, metrics, "loss", {"curves", "loss_along_text", "loss_within_words", "surprises"})
        assert metrics["gap_closed"] == pytest.approx(1)
        assert metrics["baseline"]["loss"] > 2 * data.optimum["loss"]
        assert metrics["validation"]["loss"] == 1
        writing = metrics["test"]["writing"]["sampling"]
        assert writing["accepted_lines"] == pytest.approx(2 / 3)
        assert writing["bleu"] > 0
        assert "not of the grammar" in (run.path / "report.html").read_text()
        predictions = pd.read_parquet(run.path / "predictions.parquet")
        assert "".join(predictions["character"]) == data.test_text
        assert predictions["baseline_nats"].mean() == pytest.approx(metrics["baseline"]["loss"])
        assert json.loads((run.path / "samples.json").read_text())[0]["prompt"] == "ALDA"

    def test_every_character_must_be_scored(self, tmp_path):
        data = shakespeare.load("sample", sample_lines=100)
        with (
            pytest.raises(ValueError, match="give one for each"),
            start(tmp_path, "shakespeare", "loss") as run,
        ):
            shakespeare.report(run, data, np.ones(len(data.test) - 1))

    def test_evaluate_leaves_the_summary_alone(self, tmp_path):
        data = shakespeare.load("sample", sample_lines=200)
        with start(tmp_path, "shakespeare", "loss") as run:
            shakespeare.record_data(run, data)
            shakespeare.report(run, data, np.ones(len(data.test)))
        before = (run.path / "summary.json").read_bytes()
        metrics = shakespeare.evaluate(run.path, data, np.full(len(data.test), 0.5))
        assert metrics["test"]["loss"] == 0.5
        assert (run.path / "summary.json").read_bytes() == before
        (file,) = (run.path / "evaluations").glob("*.json")
        assert json.loads(file.read_text())["metrics"]["test"]["loss"] == 0.5


class TestImdb:
    def test_load_sample(self):
        data = imdb.load("sample", seed=0, sample_size=1000)
        assert sum(data.rows.values()) + data.repeated == 1000
        texts = [text for part in (data.train, data.validation, data.test) for text in part.texts]
        assert len(set(texts)) == len(texts)
        assert 0.9 < data.optimum["accuracy"] < 1
        assert data.fingerprint != imdb.load("sample", seed=1, sample_size=1000).fingerprint

    def test_load_cleans_by_choice(self, tmp_path):
        frame = pd.DataFrame(
            {"review": [f"one<br />two {i}" for i in range(100)], "sentiment": ["positive", "neg"] * 50}
        )
        frame.to_csv(tmp_path / "reviews.csv", index=False)
        assert "<br />" not in imdb.load(str(tmp_path), seed=0).train.texts[0]
        assert "<br />" in imdb.load(str(tmp_path), seed=0, clean=False).train.texts[0]

    def test_report(self, tmp_path):
        data = imdb.load("sample", seed=0, sample_size=2000)
        right = np.where(data.test.labels[:, None] == np.arange(2), 0.9, 0.1)
        right[:20] = right[:20, ::-1]  # twenty mistakes
        with start(tmp_path, "imdb", "f1", higher=True) as run:
            run.log(step=0, epoch=0, split="train", loss=0.7)
            imdb.record_data(run, data)
            metrics = imdb.report(run, data, right, validation_probabilities=np.full((len(data.validation), 2), 0.5))
        pictures = {"curves", "confusion", "probabilities", "errors_by_length", "reliability", "labels", "lengths"}
        check_run(run, metrics, "f1", pictures)
        test = metrics["test"]
        assert test["accuracy"] == pytest.approx(1 - 20 / len(data.test))
        expected = (right.argmax(axis=1) == 1) & (data.test.labels == 1)
        assert test["recall"] == pytest.approx(expected.sum() / (data.test.labels == 1).sum())
        assert test["precision"] == pytest.approx(expected.sum() / (right.argmax(axis=1) == 1).sum())
        assert metrics["baseline"]["f1"] < 0.85
        assert metrics["gap_closed"] > 0.9
        predictions = pd.read_parquet(run.path / "predictions.parquet")
        assert (predictions["label"] != predictions["predicted"]).sum() == 20
        scored = imdb.evaluate(run.path, data, right)
        assert scored["test"]["f1"] == test["f1"]
        with pytest.raises(ValueError, match="give one for each"):
            imdb.evaluate(run.path, data, right[:-1])


class TestHouses:
    def test_hub_says_where_to_get_the_file(self):
        with pytest.raises(InputError, match=r"need a login: download train\.csv .*--data sample"):
            houses.load("hub", seed=0)

    def test_split_keeps_every_house_and_the_range_of_prices(self, tmp_path):
        table = make_houses(500, seed=4).table
        table.to_csv(tmp_path / "train.csv", index=False)
        data = houses.load(str(tmp_path), seed=0)
        parts = [data.train, data.validation, data.test]
        assert sorted(np.concatenate([part.ids for part in parts]).tolist()) == list(range(1, 501))
        assert [len(part) for part in parts] == [340, 60, 100]
        quartiles = np.quantile(table["SalePrice"].astype(float), [0.25, 0.5, 0.75])
        for part in parts:
            assert np.quantile(part.prices, [0.25, 0.5, 0.75]) == pytest.approx(quartiles, rel=0.08)
        assert data.test.ids.tolist() != houses.load(str(tmp_path), seed=1).test.ids.tolist()
        table[:50].to_csv(tmp_path / "train.csv", index=False)
        with pytest.raises(InputError, match="50 houses are too few"):
            houses.load(str(tmp_path), seed=0)

    def test_sample_reads_like_a_file(self):
        data = houses.load("sample", seed=0, sample_size=400)
        assert (data.train.features["Alley"] == ABSENT).mean() > 0.5
        assert data.optimum["rmse_log"] == pytest.approx(0.08, rel=0.3)

    def test_report(self, tmp_path):
        data = houses.load("sample", seed=0, sample_size=1000)
        predicted = data.test.prices * np.exp(np.random.default_rng(0).normal(0, 0.1, len(data.test)))
        with start(tmp_path, "houses", "rmse_log") as run:
            run.log(step=0, epoch=0, split="validation", loss=0.1, rmse_log=0.3)
            houses.record_data(run, data)
            metrics = houses.report(run, data, predicted, validation_prices=data.validation.prices * 1.1)
        pictures = {"curves", "predicted_against_actual", "residuals", "largest_errors", "prices", "missingness"}
        check_run(run, metrics, "rmse_log", pictures | {"correlations"})
        assert metrics["test"]["rmse_log"] == pytest.approx(np.sqrt(np.mean(np.log(predicted / data.test.prices) ** 2)))
        assert metrics["validation"]["rmse_log"] == pytest.approx(np.log(1.1))
        assert metrics["baseline"]["rmse_log"] > 1.5 * metrics["optimum"]["rmse_log"]
        assert 0 < metrics["gap_closed"] < 1
        predictions = pd.read_parquet(run.path / "predictions.parquet")
        assert predictions["Id"].tolist() == data.test.ids.tolist()
        scores = dict(metrics["test"])
        assert "house " in next(iter(scores.pop("largest_errors")))  # which the report of a run explains
        assert houses.evaluate(run.path, data, predicted)["test"] == scores
        for wrong, message in ((predicted[:-1], "give one for each"), (predicted * np.nan, "diverged")):
            with pytest.raises(ValueError, match=message):
                houses.evaluate(run.path, data, wrong)
