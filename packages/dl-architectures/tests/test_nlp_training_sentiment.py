"""The command that fits the embedded sentiment classifier, and the classifier that is embedded."""

import json
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from dl_architectures.nlp.classical.sentiment import NgramSentiment
from dl_architectures.nlp.training.sentiment.__main__ import MODULE, main
from dl_architectures.nlp.training.sentiment.config import Config
from dl_architectures.nlp.training.sentiment.fit import fit, probabilities
from dl_shared.runs import read_summary, resume_command
from dl_shared.tasks import imdb
from dl_shared.testing import help_without_frameworks, refused

LIMIT = 4 * 2**20
EMBEDDED = Path(str(resources.files("dl_architectures") / "nlp" / "embedded" / "sentiment"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A fit on sample reviews."""
    folder = tmp_path_factory.mktemp("runs")
    flags = [
        "train",
        "--data",
        "sample",
        "--preset",
        "quick",
        "--runs-dir",
        str(folder),
        "--output",
        str(folder / "model"),
    ]
    assert main(flags) == 0
    return folder


@pytest.fixture
def run(runs):
    (path,) = (runs / MODULE).iterdir()
    return path


def test_what_was_written_is_what_was_tested(run, runs):
    metrics = read_summary(run)["metrics"]
    model = NgramSentiment.load(runs / "model")
    data = imdb.load("sample", seed=0)
    predicted = probabilities(model, data.test.texts).argmax(axis=1)
    assert (predicted == data.test.labels).mean() == metrics["test"]["accuracy"] > 0.7
    assert model.answer("the cast was superb .").label == "positive"
    assert model.answer("the plot was awful .").label == "negative"


def test_the_card_has_the_command_and_the_figures(run, runs):
    card = (runs / "model" / "README.md").read_text()
    summary = read_summary(run)
    assert f"python -m {MODULE} train --data sample --output FOLDER --bits 16 --strengths 64.0" in card
    for part in ("test", "baseline"):
        assert f"{summary['metrics'][part]['accuracy']:.4f}" in card
    assert str(runs) not in card


def test_the_command_that_resumes_starts_a_module(run):
    assert resume_command(read_summary(run), run) == f"python -m {MODULE} train --resume {run}"


def test_a_fit_made_again_is_the_same():
    data = imdb.load("sample", seed=0, sample_size=600)
    first, again = (fit(Config(data="sample", bits=12, strengths=(1.0, 64.0)), data) for _ in range(2))
    assert np.array_equal(first[0].weights, again[0].weights)
    assert first[1] == again[1]
    assert first[0].weights.any()


def test_help_imports_nothing_heavy():
    assert "--strengths" in help_without_frameworks(f"{MODULE}.__main__", "train")


def test_bad_input_is_refused_and_leaves_nothing(capsys, tmp_path):
    def line(*arguments):
        return refused(capsys, main, "train", "--runs-dir", tmp_path, *arguments)

    assert "does not exist" in line("--data", tmp_path / "nothing")
    assert "bits must be from 8 to 24" in line("--data", "sample", "--bits", 40)
    assert "strengths must be above 0" in line("--data", "sample", "--strengths", -1)
    assert not list(tmp_path.glob("*/*"))


def test_the_embedded_classifier_is_whole_and_small():
    assert {path.name for path in EMBEDDED.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) <= LIMIT
    model = NgramSentiment.load(EMBEDDED)
    for text, label in (
        ("I loved every minute of it, a wonderful film.", "positive"),
        ("A dull, boring mess. I want my money back.", "negative"),
        ("Not good at all.", "negative"),
        ("One of the best movies I have ever seen!", "positive"),
    ):
        assert model.answer(text).label == label, text
    heavy = max(model.answer("The acting was wonderful and the music too.").weights, key=lambda weight: weight.value)
    assert (heavy.start, heavy.end) == (15, 24)


@pytest.mark.skipif("DL_TEST_DATA" not in os.environ, reason="$DL_TEST_DATA names no folder with the reviews")
def test_the_embedded_classifier_is_as_good_as_its_card_says():
    data = imdb.load(str(Path(os.environ["DL_TEST_DATA"]) / "imdb"), seed=0)
    predicted = probabilities(NgramSentiment.load(EMBEDDED), data.test.texts).argmax(axis=1)
    accuracy = float((predicted == data.test.labels).mean())
    assert accuracy >= 0.88
    assert f"| accuracy | {accuracy:.4f} |" in (EMBEDDED / "README.md").read_text()


def test_options_are_kept_for_the_record(run):
    kept = json.loads((run / "config.json").read_text())
    assert kept["bits"] == 16
    assert kept["data"] == "sample"
