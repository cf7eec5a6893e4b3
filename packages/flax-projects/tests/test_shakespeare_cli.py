"""The console script from outside: what each verb writes; bad input is one line and status 2."""

import json
import shutil

import pytest

from dl_shared.runs import read_summary
from dl_shared.sample.grammar import make_text
from dl_shared.testing import answered, help_without_frameworks, refused
from flax_projects.shakespeare.cli import main
from flax_projects.shakespeare.config import PRESETS, Config, recipe
from flax_projects.shakespeare.options import CompareOptions, GenerateOptions
from flax_projects.shakespeare.train import train
from flax_projects.shakespeare.writer import VOCABULARY

TINY = {"epochs": 1, "batch_size": 4, "segment": 16, "layers": 1, "width": 16, "precision": "fp32", "samples": 2}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "plays.txt"
    file.write_text("".join(make_text(90, seed=1)))
    return file


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory):
    return train(Config(data=str(text), **TINY), runs_dir=tmp_path_factory.mktemp("runs"))


def test_help_imports_no_framework():
    shown = help_without_frameworks("flax_projects.shakespeare.cli", "train", "generate", "compare")
    assert all(flag in shown for flag in ("--segment", "--top-p", "--models"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"model": "transformer", "width": 30, "heads": 4}, "multiple of twice the heads"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"samples": -1}, "samples"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_every_preset_has_a_recipe_for_every_model():
    for preset in ("cpu", "quick", "full"):
        for model in ("lstm", "gru", "transformer"):
            assert recipe(preset, model).model == model
    assert next(iter(PRESETS)) == "cpu"


class TestTrain:
    def test_a_run_keeps_all_that_writing_needs(self, finished):
        assert json.loads((finished / VOCABULARY).read_text())["characters"]
        samples = json.loads((finished / "samples.json").read_text())
        assert {sample["method"] for sample in samples} == {"temperature 0.8", "beam search, 4 beams"}
        assert all(len(sample["text"]) == len(sample["reference"]) == 100 for sample in samples)
        writing = read_summary(finished)["metrics"]["test"]["writing"]
        assert all("known_words" in scores for scores in writing.values())

    @pytest.mark.parametrize(
        ("content", "message"),
        [("", "empty"), ("too short", "at least 1,000"), (b"PK\x03\x04\x00" * 1000, "binary")],
    )
    def test_texts_that_are_none(self, capsys, tmp_path, content, message):
        file = tmp_path / "bad.txt"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert message in refused(capsys, main, "train", "--data", file, "--runs-dir", tmp_path)

    def test_a_text_of_one_symbol(self, tmp_path):
        file = tmp_path / "a.txt"
        file.write_text("a" * 3000)
        run = train(Config(data=str(file), **TINY), runs_dir=tmp_path)
        assert read_summary(run)["metrics"]["test"]["loss"] < 1

    def test_a_text_shorter_than_a_step(self, capsys, tmp_path, text):
        line = refused(capsys, main, "train", "--data", text, "--runs-dir", tmp_path, "--batch-size", 500)
        assert "smaller --batch-size or --segment" in line

    @pytest.mark.parametrize(
        "arguments",
        [["--model", "rnn"], ["--precision", "fp16"], ["--epochs", "0"], ["--preset", "huge"], ["--width", "-1"]],
        ids=lambda arguments: arguments[0],
    )
    def test_unknown_option_values(self, capsys, tmp_path, arguments):
        assert arguments[1] in refused(capsys, main, "train", "--data", "sample", "--runs-dir", tmp_path, *arguments)


class TestGenerate:
    def test_the_text_begins_with_the_prompt(self, capsys, finished):
        assert main(["generate", "--run", str(finished), "--prompt", "ALDA: the", "--length", "20"]) == 0
        written = capsys.readouterr().out
        assert written.startswith("ALDA: the")
        assert len(written) == len("ALDA: the") + 20 + 1

    def test_rows(self, capsys, finished):
        flags = ["--prompt", "ALDA", "--length", 9, "--beams", 3, "--samples", 2]
        rows = answered(capsys, main, "generate", "--run", finished, *flags)["rows"]
        assert len(rows) == 2
        assert rows[0]["log_probability"] >= rows[1]["log_probability"]
        assert all(row["method"] == "beam search, 3 beams" and len(row["text"]) == 13 for row in rows)

    def test_unknown_characters_are_named_and_read_on(self, capsys, finished):
        assert main(["generate", "--run", str(finished), "--prompt", "the é", "--length", "5"]) == 0
        captured = capsys.readouterr()
        assert "never seen 'é'" in captured.err
        assert captured.out.startswith("the é")

    def test_a_prompt_of_unknown_characters_only(self, capsys, finished):
        line = refused(capsys, main, "generate", "--run", finished, "--prompt", "éü")
        assert "no character of the prompt" in line

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--prompt", ""], "prompt is empty"),
            (["--prompt", "a", "--length", "0"], "length"),
            (["--prompt", "a", "--temperature", "-1"], "temperature"),
            (["--prompt", "a", "--temperature", "nan"], "temperature"),
            (["--prompt", "a", "--top-p", "0"], "top_p"),
            (["--prompt", "a", "--top-p", "1.5"], "top_p"),
            (["--prompt", "a", "--top-k", "-2"], "top_k"),
            (["--prompt", "a", "--beams", "2", "--top-k", "3"], "top_k is for drawing"),
            (["--prompt", "a", "--greedy", "--temperature", "0.5"], "temperature is for drawing"),
            (["--prompt", "a", "--greedy", "--beams", "2"], "not both"),
            (["--prompt", "a", "--beams", "2", "--samples", "3"], "more beams"),
            (["--prompt", "a", "--temperature", "0", "--samples", "2"], "one text only"),
        ],
    )
    def test_options_that_contradict(self, capsys, finished, flags, message):
        assert message in refused(capsys, main, "generate", "--run", finished, *flags)

    def test_temperature_zero_is_greedy(self, capsys, finished):
        texts = []
        for flags in (["--temperature", "0"], ["--greedy"]):
            assert main(["generate", "--run", str(finished), "--prompt", "ALDA", "--length", "12", *flags]) == 0
            texts.append(capsys.readouterr().out)
        assert texts[0] == texts[1]

    def test_a_run_without_vocabulary(self, capsys, tmp_path, finished):
        run = shutil.copytree(finished, tmp_path / "run")
        (run / VOCABULARY).write_text("{}")
        assert "damaged" in refused(capsys, main, "generate", "--run", run, "--prompt", "a")
        (run / VOCABULARY).unlink()
        assert "vocabulary" in refused(capsys, main, "generate", "--run", run, "--prompt", "a")


def test_evaluate_scores_another_text(capsys, finished, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("".join(make_text(60, seed=2)) + "ü")
    assert answered(capsys, main, "evaluate", "--run", finished, "--data", other)["test"]["loss"] > 0
    assert list((finished / "evaluations").glob("*.json"))


class TestCompare:
    def test_options_that_cannot_work_are_refused(self):
        with pytest.raises(ValueError, match="once only"):
            CompareOptions(models=("gru", "gru"))
        with pytest.raises(ValueError, match="epochs"):
            CompareOptions(epochs=0)

    def test_defaults_of_generate_are_what_they_say(self):
        assert GenerateOptions(prompt="a").temperature == 0.8

    def test_two_texts_of_one_name(self, capsys, tmp_path, text):
        other = tmp_path / text.name
        other.write_text("x" * 2000)
        line = refused(capsys, main, "compare", "--data", text, other, "--output", tmp_path, "--runs-dir", tmp_path)
        assert "one name" in line

    def test_two_styles(self, capsys, tmp_path, text, monkeypatch):
        from flax_projects.shakespeare import compare

        monkeypatch.setattr(compare, "recipe", lambda preset, model: Config(model=model, **TINY | {"epochs": 12}))
        numbers = tmp_path / "numbers.txt"
        numbers.write_text("".join(f"{i * i} {i}, " for i in range(500)))
        flags = ["--models", "gru", "--data", text, numbers, "--epochs", 12]
        folders = ["--output", tmp_path / "out", "--runs-dir", tmp_path / "runs"]
        rows = answered(capsys, main, "compare", *flags, *folders)["rows"]
        assert [(row["text"], row["model"]) for row in rows] == [("plays", "gru"), ("numbers", "gru")]
        written = {file.name for file in (tmp_path / "out").iterdir()}
        assert written == {"models.csv", "models.png", "styles.csv", "styles.png", "index.html"}
        (_, on_plays, on_numbers) = (tmp_path / "out" / "styles.csv").read_text().splitlines()
        plays, numbers = ([float(cell) for cell in line.split(",")[1:]] for line in (on_plays, on_numbers))
        assert plays[0] < numbers[0]
        assert numbers[1] < plays[1]
