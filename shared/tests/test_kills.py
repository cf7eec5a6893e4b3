"""The suite that kills trainings, on a training of no framework: what it does, what it finds, and its table."""

import importlib.util
import json
from pathlib import Path

import pytest
import toy_project

from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.runs import find_run, read_history
from dl_shared.testing.forked import Forked
from dl_shared.testing.kills import PARTS, half_written, survive
from dl_shared.testing.training import Training, assert_same_reports

ROOT = Path(__file__).resolve().parents[2]


class Toy(Training):
    checkpoint = "checkpoints/last.json"
    module = "toy_project"


@pytest.fixture(scope="module")
def training():
    return Toy("toy", {"epochs": 30, "seconds_per_step": 0.01, "ballast": 10_000})


@pytest.fixture(scope="module")
def whole(training, tmp_path_factory):
    return training.whole(tmp_path_factory.mktemp("whole"))


def assert_same_checkpoint(run, reference):
    assert read_json(run / "checkpoints" / "last.json") == read_json(reference / "checkpoints" / "last.json")


def assert_same_end(run, reference):
    assert_same_checkpoint(run, reference)
    assert read_history(run) == read_history(reference)
    assert_same_reports(run, reference)


@pytest.fixture
def records(tmp_path, monkeypatch):
    folder = tmp_path / "kills" / "shared"
    monkeypatch.setenv("DL_RECORDS", str(folder))
    return folder


def table(*arguments):
    spec = importlib.util.spec_from_file_location("kills", ROOT / "tools" / "kills.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(argument) for argument in arguments])


def test_every_kill_is_recorded_and_every_run_compared(training, whole, tmp_path, records, capsys):
    survive(training, len(PARTS), tmp_path / "runs", whole, assert_same_end)
    found = [json.loads(file.read_text()) for file in records.iterdir()]
    kills = [kill for run in found for kill in run["kills"]]
    assert len(kills) == len(PARTS)
    assert {kill["fell"] for kill in kills} > {"in training"}
    assert any(kill["resuming"] for kill in kills)
    capsys.readouterr()
    assert table(records.parent) == 0
    header, _, row, _ = (line.split("|")[1:-1] for line in (records.parent / "kills.md").read_text().splitlines())
    values = dict(zip(map(str.strip, header), map(str.strip, row), strict=True))
    assert (values["project"], values["kills"], values["all equal"]) == ("toy", "5", "yes")
    assert capsys.readouterr().out.startswith("| project | kills |")


def test_a_training_that_is_not_taken_up_exactly_is_found(training, whole, tmp_path, records):
    """One that forgets a sum when it is resumed."""
    forgetful = Toy("toy", {**training.options, "forgetful": True})
    with pytest.raises(AssertionError):
        survive(forgetful, len(PARTS), tmp_path / "runs", whole, assert_same_checkpoint)
    assert table(records.parent) == 1
    assert "| NO |" in (records.parent / "kills.md").read_text()


def test_what_was_being_written_is_seen(tmp_path):
    names = ("checkpoints/.last.0123abcd.json", "checkpoints/last/7.orbax-checkpoint-tmp-3/array", "plots/a.png")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert half_written(tmp_path) == (names[0], "checkpoints/last/7.orbax-checkpoint-tmp-3")


def test_killed_before_there_is_a_run_a_training_leaves_none_to_resume(training, tmp_path):
    with training.fork(tmp_path) as process:
        assert process.kill() == -9
    with pytest.raises(InputError, match="no run of toy under"):
        find_run("last", tmp_path, "toy")


def test_a_forked_script_says_what_it_would_say_and_ends_as_it_would(tmp_path):
    with Forked("toy_project", ["train", "--width", "0", "--runs-dir", str(tmp_path)]) as process:
        assert process.wait() == 2
        assert process.said().startswith("error: width must be at least 1")
    assert toy_project.main(["train", "--runs-dir", str(tmp_path)]) == 0
