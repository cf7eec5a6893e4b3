"""The console script from outside: every verb, and bad input as one line and status 2."""

import io
import json
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from imdb_tools import SMALL
from imdb_tools import few_reviews as few_reviews
from imdb_tools import tiny_bert as tiny_bert
from transformers import BertConfig, BertModel

from dl_shared.data.reviews import CLASSES
from dl_shared.runs import read_summary
from dl_shared.sample.reviews import make_reviews
from dl_shared.testing import answered, help_without_frameworks, refused, write_reviews
from xla_projects.imdb import model
from xla_projects.imdb.cli import main
from xla_projects.imdb.config import PRESETS, Config
from xla_projects.imdb.train import train

ONE_EPOCH = [
    text for name, value in (SMALL | {"epochs": 1}).items() for text in (f"--{name.replace('_', '-')}", str(value))
]


@pytest.fixture(scope="module")
def finished(few_reviews, tiny_bert, tmp_path_factory):
    config = Config(data=str(few_reviews), model=str(tiny_bert), **SMALL | {"learning_rate": 5e-3})
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"))


def test_help_imports_no_framework():
    shown = help_without_frameworks("xla_projects.imdb.cli", "train", "compare", "setup", "predict")
    assert all(flag in shown for flag in ("--row-length", "--models", "--compile-cache", "--files"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ""}, "model"),
        ({"layers": -1}, "layers"),
        ({"max_length": 7}, "max_length"),
        ({"row_length": 100, "max_length": 128}, "row_length must be 0 or at least max_length"),
        ({"warmup": 1.0}, "warmup"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"layer_decay": 1.1}, "layer_decay"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_presets_differ_where_they_say():
    assert next(iter(PRESETS)) == "cpu"
    full = PRESETS["full"]
    assert (full.train_reviews, full.max_length, full.precision) == (0, 512, "bf16")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nothing.csv"], "does not exist"),
        (["--model", "./nothing"], "model folder"),
        (["--model", "nobody/has-this"], "the hub cannot be reached"),
        (["--max-length", "100", "--row-length", "100"], "reads 64 tokens"),
        (["--layers", "3"], "has 2 layers"),
        (["--frozen", "4"], "nothing to learn"),
        (["--train-reviews", "2"], "too few"),
        (["--precision", "fp16"], "bf16"),
        (["--device", "gpu"], "GPU"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be_met(capsys, tmp_path, few_reviews, tiny_bert, arguments, message):
    given = ["--data", few_reviews, "--model", tiny_bert, *ONE_EPOCH, "--runs-dir", tmp_path]
    assert message in refused(capsys, main, "train", *given, *arguments)
    assert not list(tmp_path.glob("xla-imdb/*")), "nothing was learned, so nothing is left behind"


def reviews(count=60):
    made = make_reviews(count, 1)
    return made.texts, [CLASSES[label] for label in made.labels]


def test_reviews_of_one_class_only(capsys, tmp_path):
    file = write_reviews(tmp_path / "one.csv", reviews()[0], ["positive"] * 60)
    line = refused(capsys, main, "train", "--data", file, "--model", "scratch", "--runs-dir", tmp_path)
    assert "all reviews of the training part are positive" in line


def test_a_review_of_markup_alone_and_one_of_100_000_letters_are_learned_from(capsys, tmp_path, tiny_bert):
    texts, labels = reviews()
    file = write_reviews(tmp_path / "odd.csv", ["<br />", "dull " * 20000, *texts[2:]], labels)
    given = ["--data", file, "--model", tiny_bert, *ONE_EPOCH, "--runs-dir", tmp_path]
    assert 0 <= answered(capsys, main, "train", *given)["test"]["f1"] <= 1


def test_a_folder_that_is_no_model(capsys, tmp_path, few_reviews, tiny_bert):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    given = ["--data", few_reviews, "--model", folder, *ONE_EPOCH, "--runs-dir", tmp_path]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    assert "do not fit its config.json" in refused(capsys, main, "train", *given)
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "mpnet"}))
    assert "a mpnet model cannot read several reviews in a row" in refused(capsys, main, "train", *given)
    BertModel(BertConfig(vocab_size=20, hidden_size=32, num_attention_heads=2, num_hidden_layers=1)).save_pretrained(
        folder
    )
    assert "they are not of one model" in refused(capsys, main, "train", *given)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes((tiny_bert / name).read_bytes()[:200])
        assert str(folder) in refused(capsys, main, "train", *given)
        (folder / name).unlink()
        assert "lacks" in refused(capsys, main, "train", *given)
        shutil.copy(tiny_bert / name, folder)


def test_without_the_embedded_model_sample_reviews_are_learned_from_scratch(capsys, monkeypatch):
    monkeypatch.setattr(model, "embedded_folder", lambda: None)
    network, tokenizer = model.load_pretrained(Config(data="sample"), ["a good film"])
    assert "from scratch" in capsys.readouterr().err
    assert sum(param.numel() for param in network.parameters()) < 2e6
    assert tokenizer("a good film")["input_ids"][0] == tokenizer.cls_token_id


def test_predict_gives_a_row_for_each_review_in_order(capsys, tmp_path, finished, monkeypatch):
    file = tmp_path / "review.txt"
    file.write_text("the cast was superb\n" + "and the plot was dull " * 5000)
    content = b"everyone found the music great\n\nthe plot was <br /> awful\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    rows = answered(capsys, main, "predict", "--run", finished, "the plot was dull", "-", "--files", file)["rows"]
    names = [row["review"] for row in rows]
    assert names == ["the plot was dull", "everyone found the music great", "the plot was <br /> awful", str(file)]
    assert [row["unread"] > 0 for row in rows] == [False, False, False, True]
    for row in rows:
        assert row["confidence"] == max(row["p(negative)"], row["p(positive)"])
        assert row["p(negative)"] + row["p(positive)"] == pytest.approx(1)


def test_predict_says_on_the_host_what_the_device_said(capsys, finished):
    table = pq.read_table(finished / "predictions.parquet").to_pydict()
    rows = answered(capsys, main, "predict", "--run", finished, *table["review"][:9])["rows"]
    assert [row["p(positive)"] for row in rows] == pytest.approx(table["p(positive)"][:9], abs=1e-5)


def test_the_test_predictions_come_back_from_the_checkpoint(capsys, finished, few_reviews):
    scores = answered(capsys, main, "evaluate", "--run", finished, "--data", few_reviews)
    assert scores["test"]["f1"] == read_summary(finished)["metrics"]["test"]["f1"]
    assert list((finished / "evaluations").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "give a review"), (["good", "<br />"], "review 2 (<br />) is empty"), (["--files", "none.txt"], "none.txt")],
)
def test_reviews_that_cannot_be_judged(capsys, finished, arguments, message):
    assert message in refused(capsys, main, "predict", "--run", finished, *arguments)


@pytest.mark.parametrize("damage", ["cut short", "gone", "without its tokenizer"])
def test_a_damaged_run(capsys, tmp_path, finished, damage):
    run = shutil.copytree(finished, tmp_path / "run")
    file = run / "checkpoints" / "best.safetensors"
    if damage == "gone":
        file.unlink()
    elif damage == "without its tokenizer":
        (run / "model" / "tokenizer.json").unlink()
    else:
        file.write_bytes(file.read_bytes()[:2000])
    said = {"cut short": "damaged", "gone": "no such checkpoint yet", "without its tokenizer": str(run / "model")}
    assert said[damage] in refused(capsys, main, "predict", "--run", run, "good")


def test_models_to_compare_that_have_one_name(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--models", tiny_bert, tmp_path / "tiny-bert", "--output", tmp_path / "out"]
    assert "one name" in refused(capsys, main, "compare", *given)


@pytest.mark.slow
def test_compare_trains_each_model(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--models", tiny_bert, "scratch", *ONE_EPOCH]
    rows = answered(capsys, main, "compare", *given, "--output", tmp_path / "out", "--runs-dir", tmp_path)["rows"]
    assert [row["variant"] for row in rows] == ["tiny-bert", "scratch"]
    assert rows[0]["gain"] == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.csv", "comparison.png", "index.html"}


def test_tune_tries_options_and_says_which_were_best(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--model", tiny_bert, "--trials", "1", "--runs-dir", tmp_path, *ONE_EPOCH]
    found = answered(capsys, main, "tune", *given)
    assert found["trials"] == {"complete": 1}
    assert 0.6 <= found["best"]["layer_decay"] <= 1.0


def test_a_loss_that_is_not_finite_ends_the_run(capsys, tmp_path, few_reviews, tiny_bert):
    given = ["--data", few_reviews, "--model", tiny_bert, *ONE_EPOCH, "--clip", "0", "--runs-dir", tmp_path]
    assert "smaller --learning-rate" in refused(capsys, main, "train", *given, "--learning-rate", "1e30")
