"""Part of the reviews for a budget, and the list of those that were misjudged."""

import csv

import numpy as np
import pytest

from dl_shared.config import TrainConfig
from dl_shared.errors import InputError
from dl_shared.plots.text import confident_mistakes
from dl_shared.runs import Run
from dl_shared.tasks import imdb


@pytest.fixture(scope="module")
def data():
    return imdb.load("sample", seed=0, sample_size=400)


def test_some_reviews_keep_the_classes_in_proportion_and_the_test_part_whole(data):
    some = imdb.keep_some(data, 100, seed=0, fewest=10)
    assert len(some.train) == 100
    assert abs(int(some.train.labels.sum()) - 100 * data.train.labels.mean()) <= 1
    assert len(some.validation) == round(100 / len(data.train) * len(data.validation))
    assert some.test is data.test
    assert set(some.train.texts) <= set(data.train.texts)
    assert some.fingerprint != data.fingerprint
    assert some.fingerprint == imdb.keep_some(data, 100, seed=0, fewest=10).fingerprint
    assert some.fingerprint != imdb.keep_some(data, 100, seed=1, fewest=10).fingerprint


def test_a_larger_part_holds_the_smaller_ones_validation_reviews_at_least(data):
    assert len(imdb.keep_some(data, 40, seed=0, fewest=20).validation) == 20
    assert len(imdb.keep_some(data, 40, seed=0).validation) == len(data.validation)


@pytest.mark.parametrize("count", [0, 10_000])
def test_all_reviews_are_kept_where_no_fewer_are_asked_for(data, count):
    assert imdb.keep_some(data, count, seed=0) is data


def test_too_few_reviews(data):
    with pytest.raises(InputError, match="too few"):
        imdb.keep_some(data, 3, seed=0)


def test_both_classes_are_there_in_the_smallest_part(data):
    assert set(imdb.keep_some(data, 4, seed=0).train.labels.tolist()) == {0, 1}


def test_the_misclassified_reviews_are_listed_the_surest_first(tmp_path, data):
    positive = np.linspace(0.01, 0.99, len(data.test))
    with Run.start(
        "try-imdb", TrainConfig(epochs=1, batch_size=8), task="imdb", framework="none", primary="f1", runs_dir=tmp_path
    ) as run:
        imdb.record_data(run, data)
        imdb.report(run, data, np.stack([1 - positive, positive], axis=1))
    with (run.path / "misclassified.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == int(((positive > 0.5) != data.test.labels).sum())
    surely = [abs(float(row["p(positive)"]) - 0.5) for row in rows]
    assert surely == sorted(surely, reverse=True)
    assert all(row["label"] != row["predicted"] for row in rows)
    assert (run.path / "plots" / "mistakes.png").stat().st_size > 1000


def test_a_picture_without_any_mistake():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    figure = confident_mistakes(["bad", "good $x$ \x00 " * 80], np.array([0, 1]), probabilities, ("no", "yes"))
    assert "0 mistakes on 2" in figure.get_suptitle()
    figure = confident_mistakes(["bad", "good $x$ \x00 " * 80], np.array([1, 0]), probabilities, ("no", "yes"))
    figure.canvas.draw()
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown[0] == "labelled yes, predicted no with 0.900"
    assert any(text.startswith("... ") for text in shown)
