"""The console script from outside: every verb, and bad input as one line and status 2."""

import io
import json
import re
import shutil
import sys

import imdb_tools
import numpy as np
import pytest
import torch
from imdb_tools import SMALL
from transformers import BertConfig, BertModel

from dl_shared.runs import read_summary
from dl_shared.sample.reviews import make_reviews
from dl_shared.tasks.imdb_comparison import difference_in_f1
from dl_shared.testing import answered, help_without_frameworks, refused, write_reviews
from lightning_projects.imdb import model
from lightning_projects.imdb.cli import main
from lightning_projects.imdb.compare import variants
from lightning_projects.imdb.config import PRESETS, Config
from lightning_projects.imdb.options import CompareOptions
from lightning_projects.imdb.predict import load_predictor
from lightning_projects.imdb.train import train

few_reviews, tiny_bert = imdb_tools.few_reviews, imdb_tools.tiny_bert

SMALL_FLAGS = [text for name, value in SMALL.items() for text in (f"--{name.replace('_', '-')}", str(value))]
ONE_EPOCH = [*SMALL_FLAGS, "--epochs", "1"]


@pytest.fixture(scope="module")
def finished(few_reviews, tiny_bert, tmp_path_factory):
    config = Config(data=str(few_reviews), model=str(tiny_bert), **SMALL | {"learning_rate": 5e-3})
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("verb", ["train", "attention", "compare"])
def test_help_imports_no_framework(verb):
    shown = help_without_frameworks("lightning_projects.imdb.cli", verb)
    assert {"train": "--layer-decay", "attention": "--index", "compare": "--models"}[verb] in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ""}, "model"),
        ({"layers": -1}, "layers"),
        ({"frozen": -1}, "frozen"),
        ({"train_reviews": -1}, "train_reviews"),
        ({"max_length": 7}, "max_length"),
        ({"warmup": 1.0}, "warmup"),
        ({"dropout": -0.1}, "dropout"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"layer_decay": 1.1}, "layer_decay"),
        ({"clip": -1.0}, "clip"),
        ({"batch_size": 32, "accumulate": 3}, "accumulate"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_presets_differ_where_they_say():
    assert next(iter(PRESETS)) == "cpu"
    assert PRESETS["full"].train_reviews == 0
    assert PRESETS["full"].max_length == 512


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nothing.csv"], "does not exist"),
        (["--model", "./nothing"], "model folder"),
        (["--model", "nobody/has-this"], "the hub cannot be reached"),
        (["--max-length", "100"], "reads 64 tokens"),
        (["--layers", "3"], "has 2 layers"),
        (["--frozen", "4"], "nothing to learn"),
        (["--train-reviews", "2"], "too few"),
        (["--precision", "fp16"], "bf16"),
        (["--truncation", "tail"], "tail"),
        (["--batches", "sorted"], "sorted"),
        (["--preprocess", "translate"], "translate"),
        (["--device", "gpu"], "--device"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_options_that_cannot_be_met(capsys, tmp_path, few_reviews, tiny_bert, arguments, message):
    given = ["--data", few_reviews, "--model", tiny_bert, *ONE_EPOCH, "--runs-dir", tmp_path]
    assert message in refused(capsys, main, "train", *given, *arguments)
    assert not list(tmp_path.glob("lightning-imdb/*")), "nothing was learned, so nothing is left behind"


def reviews(count=60):
    made = make_reviews(count, 1)
    return made.texts, ["positive" if label else "negative" for label in made.labels]


def test_reviews_that_cannot_be_used(capsys, tmp_path):
    texts, labels = reviews()
    files = {
        "not UTF-8": write_reviews(tmp_path / "latin.csv", ["café"] * 60, labels, encoding="latin-1"),
        "all reviews of the training part are positive": write_reviews(tmp_path / "one.csv", texts, ["positive"] * 60),
        "review 3 is empty": write_reviews(tmp_path / "empty.csv", [*texts[:2], " ", *texts[3:]], labels),
        "must be positive or negative": write_reviews(tmp_path / "three.csv", texts, [*labels[:-1], "neutral"]),
    }
    for message, file in files.items():
        assert message in refused(capsys, main, "train", "--data", file, "--model", "scratch", "--runs-dir", tmp_path)


def test_a_review_of_markup_alone_and_one_of_100_000_letters_are_learned_from(capsys, tmp_path, tiny_bert):
    texts, labels = reviews()
    file = write_reviews(tmp_path / "odd.csv", ["<br />", "dull " * 20000, *texts[2:]], labels)
    given = ["--data", file, "--model", tiny_bert, *ONE_EPOCH, "--runs-dir", tmp_path]
    assert 0 <= answered(capsys, main, "train", *given)["test"]["f1"] <= 1


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_folder_with_a_file_missing_or_damaged(capsys, tmp_path, few_reviews, tiny_bert, damage):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    given = ["--data", few_reviews, "--model", folder, *ONE_EPOCH, "--runs-dir", tmp_path]
    file = folder / damage
    file.write_bytes(file.read_bytes()[:200])
    assert str(folder) in refused(capsys, main, "train", *given)
    file.unlink()
    assert "lacks" in refused(capsys, main, "train", *given)


def test_a_tokenizer_of_another_model(capsys, tmp_path, few_reviews, tiny_bert):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    BertModel(BertConfig(vocab_size=20, hidden_size=32, num_attention_heads=2, num_hidden_layers=1)).save_pretrained(
        folder
    )
    line = refused(capsys, main, "train", "--data", few_reviews, "--model", folder, *ONE_EPOCH, "--runs-dir", tmp_path)
    assert "they are not of one model" in line


def test_weights_that_are_not_those_of_the_configuration(capsys, tmp_path, few_reviews, tiny_bert):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    line = refused(capsys, main, "train", "--data", few_reviews, "--model", folder, *ONE_EPOCH, "--runs-dir", tmp_path)
    assert "do not fit its config.json" in line


def test_without_the_embedded_model_sample_reviews_are_learned_from_scratch(capsys, tmp_path, monkeypatch, few_reviews):
    monkeypatch.setattr(model, "embedded_folder", lambda: None)
    network, tokenizer = model.load_pretrained(Config(data="sample"), ["a good film"])
    assert "from scratch" in capsys.readouterr().err
    assert sum(param.numel() for param in network.parameters()) < 2e6
    assert tokenizer("a good film")["input_ids"][0] == tokenizer.cls_token_id


def type_in(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_nothing_on_stdin(capsys, finished, monkeypatch):
    type_in(monkeypatch, b"\n \n")
    assert "stdin has no review" in refused(capsys, main, "predict", "--run", finished, "-")


def test_predict_gives_a_row_for_each_review_in_order(capsys, tmp_path, finished, monkeypatch):
    file = tmp_path / "review.txt"
    file.write_text("the cast was superb\n" + "and the plot was dull " * 50)
    type_in(monkeypatch, b"everyone found the music great\n\nthe plot was <br /> awful\n")
    answer = answered(capsys, main, "predict", "--run", finished, "the plot was dull", "-", "--files", file)
    names = [row["review"] for row in answer["rows"]]
    assert names == ["the plot was dull", "everyone found the music great", "the plot was <br /> awful", str(file)]
    assert [row["unread"] > 0 for row in answer["rows"]] == [False, False, False, True]
    rows = load_predictor(finished)(["the plot was dull", "the plot was awful"])
    np.testing.assert_allclose(rows.sum(1), 1)
    assert answer["rows"][0]["p(positive)"] == pytest.approx(rows[0, 1], abs=1e-5)
    assert answer["rows"][2]["p(positive)"] == pytest.approx(rows[1, 1], abs=1e-5)
    assert answer["rows"][0]["confidence"] == max(answer["rows"][0][f"p({name})"] for name in ("negative", "positive"))


def test_predict_shows_rows_to_a_person_and_takes_the_longest_of_reviews(capsys, finished):
    assert main(["predict", "--run", str(finished), "dull " * 20000]) == 0
    line = capsys.readouterr().out
    assert re.search(r"predicted (positive|negative)  confidence 0\.\d{4}", line)
    assert "unread 19978" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a review"),
        (["good", "<br />"], "review 2 (<br />) is empty"),
        (["--files", "nothing.txt"], "nothing.txt"),
        (["--files", "latin.txt"], "latin.txt"),
        (["-"], "stdin is not UTF-8"),
    ],
)
def test_reviews_that_cannot_be_judged(capsys, tmp_path, finished, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    type_in(monkeypatch, "café".encode("latin-1"))
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    assert message in refused(capsys, main, "predict", "--run", finished, *arguments)


def test_the_test_predictions_come_back_from_the_checkpoint(capsys, finished, few_reviews):
    scores = answered(capsys, main, "evaluate", "--run", finished, "--data", few_reviews)
    assert scores["test"]["f1"] == read_summary(finished)["metrics"]["test"]["f1"]
    assert scores["baseline"]["f1"] == read_summary(finished)["metrics"]["baseline"]["f1"]
    assert list((finished / "evaluations").iterdir())


def test_attention_writes_a_page_for_each_review_and_says_whether_it_decides(capsys, tmp_path, finished):
    texts = ["the plot was dull </script><script>alert(1)</script>", "the cast was superb " * 40]
    given = ["--run", finished, "--text", *texts, "--index", "3", "--reviews", "6", "--output", tmp_path]
    rows = answered(capsys, main, "attention", *given)["rows"]
    assert [row["review"] for row in rows] == ["text 1", "text 2", "test review 3"]
    assert rows[1]["tokens"] == SMALL["max_length"]
    assert rows[2]["label"] in ("positive", "negative")
    for row in rows:
        page = (tmp_path / f"{row['review'].replace(' ', '-')}.html").read_text()
        assert page.count("<script") == 2
        assert "tested on 6 reviews" in page.lower()
    found = json.loads((tmp_path / "deletions.json").read_text())
    assert found["reviews"] == 6
    assert set(found["methods"]) == {
        "attention rollout", "attention of the last layer", "random", "gradient x input",
    }  # fmt: skip
    assert len(found["sentences"]) == 2


def test_attention_of_more_tokens_than_in_training_without_a_test(capsys, tmp_path, finished):
    given = ["--run", finished, "--text", "the cast was superb " * 40, "--max-length", "64", "--reviews", "0"]
    (row,) = answered(capsys, main, "attention", *given, "--output", tmp_path)["rows"]
    assert row["tokens"] == 64
    assert "No deletion test" in (tmp_path / "text-1.html").read_text()
    assert not (tmp_path / "deletions.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--text or --index"),
        (["--text", " "], "--text 1 is empty"),
        (["--index", "30"], "reviews 0 to 29"),
        (["--index", "0", "--data", "nothing"], "does not exist"),
        (["--text", "good", "--max-length", "65"], "8 to 64"),
    ],
)
def test_what_cannot_be_attended_to(capsys, finished, arguments, message):
    assert message in refused(capsys, main, "attention", "--run", finished, *arguments)


def test_compare_trains_each_and_tells_what_preprocessing_is_worth(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--model", tiny_bert, "--preprocessings", "none", "lemmatise"]
    places = ["--output", tmp_path / "out", "--runs-dir", tmp_path]
    rows = answered(capsys, main, "compare", *given, *ONE_EPOCH, *places)["rows"]
    assert [row["variant"] for row in rows] == ["none", "lemmatise"]
    assert rows[0]["gain"] == rows[0]["baseline_gain"] == 0
    assert all(row["gain_ci"][0] <= row["gain"] <= row["gain_ci"][1] for row in rows)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.csv", "comparison.png", "index.html"}
    assert len(list((tmp_path / "lightning-imdb").iterdir())) == 2


def test_what_is_compared_is_called_by_what_differs():
    base = Config(data="sample")
    names = {
        (("embedded", "/models/roberta"), ()): ["embedded", "roberta"],
        ((), ("none", "stem")): ["none", "stem"],
        (("embedded", "scratch"), ("none", "stem")): [
            "embedded, none",
            "embedded, stem",
            "scratch, none",
            "scratch, stem",
        ],
        ((), ()): ["embedded"],
    }
    for (models, preprocessings), expected in names.items():
        chosen = variants(base, CompareOptions(models=models, preprocessings=preprocessings))
        assert [name for name, _ in chosen] == expected


def test_two_models_of_one_name(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--models", tiny_bert, tmp_path / "tiny-bert", "--output", tmp_path / "out"]
    assert "one name" in refused(capsys, main, "compare", *given)


def test_a_difference_in_f1_by_hand():
    import pandas as pd

    labels = pd.Series(["positive", "positive", "negative", "negative"])
    own, reference = pd.Series([0.9, 0.8, 0.1, 0.2]), pd.Series([0.9, 0.2, 0.1, 0.8])
    difference, low, high = difference_in_f1(own, reference, labels)
    assert difference == pytest.approx(1 - 0.5)
    assert low <= difference <= high


def test_tune_tries_options_and_says_which_were_best(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--model", tiny_bert, "--trials", "1", "--runs-dir", tmp_path, *ONE_EPOCH]
    found = answered(capsys, main, "tune", *given)
    assert found["trials"] == {"complete": 1}
    assert 0.6 <= found["best"]["layer_decay"] <= 1.0
    assert 0 <= found["best_value"] <= 1


@pytest.mark.parametrize("damage", ["emptied", "cut short", "of another model", "gone", "without its tokenizer"])
def test_a_damaged_run(capsys, tmp_path, finished, damage):
    run = shutil.copytree(finished, tmp_path / "run")
    file = run / "checkpoints" / "best.ckpt"
    if damage == "of another model":
        torch.save({"state_dict": {"network.classifier.weight": torch.zeros(2, 3)}}, file)
    elif damage == "gone":
        file.unlink()
    elif damage == "without its tokenizer":
        (run / "model" / "tokenizer.json").unlink()
    else:
        file.write_bytes(b"" if damage == "emptied" else file.read_bytes()[:2000])
    said = {"gone": "no checkpoint yet", "without its tokenizer": str(run / "model")}.get(
        damage, "damaged or of another"
    )
    assert said in refused(capsys, main, "predict", "--run", run, "good")


def test_a_loss_that_is_not_finite_ends_the_run(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--model", tiny_bert, *ONE_EPOCH, "--clip", "0", "--runs-dir", tmp_path]
    assert "smaller --learning-rate" in refused(capsys, main, "train", *given, "--learning-rate", "1e30")
