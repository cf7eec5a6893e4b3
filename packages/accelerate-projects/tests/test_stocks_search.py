"""What a comparison and a search say: what was planted is found, and nothing on a random walk."""

from pathlib import Path

import numpy as np
import pytest
from stocks_tools import small, write_prices

from accelerate_projects.stocks.cli import main
from accelerate_projects.stocks.compare import recipes
from accelerate_projects.stocks.options import CompareOptions
from accelerate_projects.stocks.sentiment import Classifier, label_signs
from dl_shared.errors import InputError
from dl_shared.testing import answered, refused
from dl_shared.tuning import Choice

# Nothing but headlines moves these prices, or nothing at all.
SMALL = ["--features", "returns", "news", "--lookback", 16, "--horizon", 3, "--hidden", 6, "--layers", 1,
         "--dropout", 0, "--batch-size", 32, "--stride", 16, "--epochs", 4, "--learning-rate", 0.02,
         "--weight-decay", 0.01]  # fmt: skip
SAMPLE = ["--data", "sample", "--headlines", "sample", "--sample-signal", 0, "--tickers", "S00", "S01", "S02", *SMALL]


@pytest.mark.parametrize("planted", [0.5, 0.0])
def test_headlines_are_worth_what_was_planted(capsys, tmp_path, planted):
    options = ["--sample-news", planted, "--seeds", 2, "--output", tmp_path]
    whole, without = answered(capsys, main, "compare", *SAMPLE, *options)["rows"]
    assert without["recipe"] == "without headlines"
    assert len(whole["skills"]) == 2
    low, high = without["worth_ci"]
    if planted:
        assert low > 1
        assert without["p_value"] < 0.01
        assert whole["skill"] > 0.02 > abs(without["skill"])
    else:
        assert low < 0.3
        assert high > -0.3
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    assert len((tmp_path / "comparison.csv").read_text().splitlines()) == 3


def test_what_is_compared_follows_from_what_is_asked():
    config = small("sample", headlines="sample")
    names = {
        "news": list(dict(recipes(config, CompareOptions()))),
        "groups": list(dict(recipes(config, CompareOptions(groups=True)))),
        "cells": list(dict(recipes(config, CompareOptions(cells=("rnn", "gru"))))),
        "no news": list(dict(recipes(small("sample"), CompareOptions()))),
    }
    assert names["news"] == ["the recipe", "without headlines"]
    assert names["groups"] == ["the recipe", "without headlines", "without returns", "without volume"]
    assert names["cells"] == ["RNN", "GRU"]
    assert names["no news"] == ["the recipe", "without returns", "without volume"]


def test_one_group_leaves_nothing_to_compare(capsys, tmp_path):
    folder = write_prices(tmp_path)
    assert "nothing to compare" in refused(capsys, main, "compare", "--data", folder, "--features", "returns")


def test_verbs_that_train_one_network_after_another_refuse_to_be_launched(capsys, tmp_path, monkeypatch):
    folder = write_prices(tmp_path / "prices")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("accelerate_projects.stocks.compare.make_accelerator", lambda config: None)
    line = refused(capsys, main, "compare", "--data", folder, *SMALL, "--cells", "rnn", "gru", "--output", tmp_path)
    assert "without `accelerate launch`" in line


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr("accelerate_projects.stocks.tune.SPACE", {"cell": Choice(("rnn", "gru", "lstm"))})


def test_a_search_of_a_random_walk_says_that_nothing_was_found_and_touches_the_test_days_once(capsys, tmp_path, narrow):
    folder = write_prices(tmp_path / "prices", signal=0.0)
    options = ["--data", folder, *SMALL, "--epochs", 2, "--runs-dir", tmp_path]
    found = answered(capsys, main, "tune", *options, "--trials", 3)
    assert found["tried"] == 3
    assert found["deflated"]["tried"] == 6, "every epoch of every trial"
    assert found["deflated"]["skill"] == pytest.approx(found["best_value"], abs=1e-9)
    assert found["deflated"]["p_value"] > 0.05
    assert found["deflated"]["deflated_ci"][0] < 0
    assert found["test"]["skill_ci"][0] < 0
    page = Path(found["page"]).read_text()
    assert "nothing was found that the luck of the search would not explain" in page
    assert "The test days were touched once, after 3 configurations." in page
    more = answered(capsys, main, "tune", *options, "--trials", 4)
    assert more["tried"] == 4
    assert more["test"] == found["test"]
    assert "The search has gone on since, to 4." in Path(more["page"]).read_text()
    assert len(list(tmp_path.glob("accelerate-stocks/2*"))) == 1


def write_classifier(folder, labels):
    """A tiny BERT, untrained."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "news"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    options = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(words), id2label=dict(enumerate(labels)), **options)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_headlines_scored_by_a_classifier_of_ones_own(tmp_path):
    folder = write_classifier(tmp_path / "finbert", ["positive", "negative", "neutral"])
    classifier = Classifier(str(folder), "cpu")
    together = classifier(["good news", "bad bad news"])
    np.testing.assert_allclose(together, [*classifier(["good news"]), *classifier(["bad bad news"])], atol=1e-6)
    assert ((together > -1) & (together < 1)).all()
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no text classifier"):
        Classifier(str(folder), "cpu")
    with pytest.raises(InputError, match="is not a folder"):
        Classifier(str(tmp_path / "none"), "cpu")


def test_labels_say_which_news_are_good():
    assert label_signs({0: "positive", 1: "negative", 2: "neutral"}, "here") == [1, -1, 0]
    assert label_signs({0: "Bearish", 1: "Bullish"}, "here") == [-1, 1]
    assert label_signs({0: "LABEL_0", 1: "LABEL_1"}, "here") == [-1, 1]
    with pytest.raises(InputError, match="must be called positive"):
        label_signs({0: "sports", 1: "business"}, "here")
