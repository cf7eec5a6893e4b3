"""What every console script promises, seen from outside through a toy project."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dl_shared.cli import TrainVerb, console_script
from dl_shared.config import TrainConfig
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing import refused

TOY = Path(__file__).with_name("toy_project.py")


@pytest.fixture
def toy(tmp_path):
    """Runs the toy's script in an empty folder."""

    def run(*arguments):
        command = [sys.executable, TOY, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)

    return run


def error_line(result):
    """The one line of a refusal; fails if there is more than that, or another exit status."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def test_options_that_are_no_numbers_are_refused(toy):
    assert "--seconds-per-step must be a finite number" in error_line(toy("train", "--seconds-per-step", "nan"))
    assert "user who is not there" in error_line(toy("train", "--data", "~nobody-of-that-name/x"))


def test_train_ends_with_the_three_figures_and_the_report(toy):
    lines = toy("train").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["started", "baseline", "result", "optimum", "gap", "report"]
    assert "0.9000" in lines[2]
    assert "0.8000 to 0.9500" in lines[2]
    assert lines[-1].endswith("report.html")


def test_json_puts_one_object_on_stdout_and_the_rest_on_stderr(toy):
    result = toy("train", "--json")
    assert json.loads(result.stdout)["test"]["accuracy"] == 0.9
    assert "started" in result.stderr
    scored = toy("evaluate", "--data", "x", "--json")
    assert json.loads(scored.stdout)["test"]["accuracy"] == 0.5
    assert "a line from a library in C++" in scored.stderr
    assert [row["label"] for row in json.loads(toy("predict", "--data", "x", "--json").stdout)["rows"]] == [
        "cat",
        "dog",
    ]


def test_evaluate_and_predict_print_what_a_person_reads(toy):
    toy("train")
    figures = toy("evaluate", "--data", "x").stdout.splitlines()
    assert figures[-2:] == ["baseline accuracy 0.2500", "result   accuracy 0.5000"]
    assert toy("predict", "--data", "x").stdout == "label cat  confidence 0.9000\nlabel dog  confidence 0.8000\n"


def test_a_preset_sets_defaults_and_flags_change_single_options(toy, tmp_path):
    toy("train", "--preset", "full", "--epochs", "2", "--seconds-per-step", "0")
    config = json.loads((find_run("last", tmp_path / "runs", "toy") / "config.json").read_text())
    assert (config["epochs"], config["seconds_per_step"], config["width"]) == (2, 0.0, 3)


def test_the_presets_of_a_verb_are_its_own(capsys):
    config = TrainConfig(epochs=1, batch_size=1)
    verbs = [TrainVerb(name=name, function="none:none", presets={name: config}) for name in ("train", "pretrain")]
    main = console_script("toy", "Two verbs that train.", *verbs)
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--preset", "train", "--help"])
    assert "--preset" in capsys.readouterr().out
    assert "must be one of train" in refused(capsys, main, "train", "--preset", "pretrain")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "train, evaluate, search, predict"),
        (("trian",), "trian"),
        (("train", "--device", "gpx"), "'gpx'"),
        (("train", "--epochs", "three"), "'three'"),
        (("train", "--epochs", "0"), "epochs must be at least 1, got 0"),
        (("train", "--width", "-1"), "width must be at least 1, got -1"),
        (("train", "--preset", "slow"), "quick, full"),
        (("train", "--colour", "red"), "--colour"),
        (("train", "--data", "nowhere"), "nowhere does not exist"),
        (("train", "--resume", "last"), "no run of toy"),
        (("evaluate",), "--data"),
        (("evaluate", "--data", "x"), "no run of toy"),
        (("evaluate", "--data", "x", "--run", "nowhere"), "not a run directory"),
    ],
)
def test_wrong_input_gets_one_line_and_status_2(toy, tmp_path, arguments, said):
    assert said in error_line(toy(*arguments))
    assert not any(tmp_path.rglob("config.json")), "a refused command left a run behind"


def test_a_full_disk_is_the_users_to_mend(toy):
    toy("train")
    assert "No space left" in error_line(toy("predict", "--data", "full-disk"))


def test_training_onto_a_full_disk_loses_nothing(tmp_path):
    """On a file system of 200 KiB that fills up during training and is then enlarged."""
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    steps = (
        f"mount -t tmpfs -o size=200k none {tmp_path}",
        f"{sys.executable} {TOY} train --runs-dir {tmp_path} --epochs 10 --ballast 12000 || echo status $?",
        f"mount -o remount,size=2m {tmp_path}",
        f"{sys.executable} {TOY} train --resume {tmp_path}/toy/* --json",
        f"cat {tmp_path}/toy/*/summary.json",
    )
    command = ["unshare", "-m", "sh", "-c", "; ".join(steps)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert "status 2" in result.stdout
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.fullmatch(r"error: No space left on device.*; resume with: toy train --resume \S+", errors[0])
    assert f'"total": {3 * sum(range(1, 11))}' in result.stdout, "the resumed run did not go on from its checkpoint"


def test_a_failure_of_ours_shows_its_traceback(toy):
    toy("train")
    result = toy("evaluate", "--data", "bug")
    assert result.returncode == 1
    assert "RuntimeError: ours" in result.stderr


def started(tmp_path, *arguments):
    """The toy's slow training, past its first step."""
    command = [sys.executable, TOY, "train", "--preset", "full", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_writes_a_checkpoint_and_says_how_to_resume(tmp_path, toy, number):
    process = started(tmp_path)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 130
    path = find_run("last", tmp_path / "runs", "toy")
    assert f"resume with: toy train --resume {path}" in stderr
    assert read_summary(path)["status"] == "interrupted"
    assert (path / "checkpoints" / "last.json").exists()


def test_killed_and_resumed_equals_never_stopped(tmp_path, toy):
    process = started(tmp_path)
    process.kill()
    process.communicate()
    path = find_run("last", tmp_path / "runs", "toy")
    assert read_summary(path)["status"] == "running"
    assert toy("train", "--resume", path).returncode == 0
    assert read_summary(path)["status"] == "finished"
    assert read_summary(path)["cost"]["total"] == 3 * sum(range(1, 401))
    assert [row["step"] for row in read_history(path)] == list(range(1, 401))


def test_a_run_in_use_a_finished_run_and_other_options_are_not_resumed(tmp_path, toy):
    process = started(tmp_path)
    path = find_run("last", tmp_path / "runs", "toy")
    assert "in use" in error_line(toy("train", "--resume", path))
    process.kill()
    process.communicate()
    refused = error_line(toy("train", "--resume", path, "--width", "5"))
    assert "other options: width; only device may change" in refused
    assert toy("train", "--resume", path, "--device", "cpu").returncode == 0
    assert json.loads((path / "config.json").read_text())["device"] == "cpu"
    assert "finished" in error_line(toy("train", "--resume", path))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("summary.json", '{"schema": 1, "pro', "cannot be read"),
        ("summary.json", '{"schema": 99}', "schema 1"),
        ("config.json", "[]", "does not have the options"),
        ("config.json", '{"data": "sample"}', "does not have the options"),
    ],
)
def test_a_damaged_run_is_refused_and_left_as_it_is(tmp_path, toy, file, text, said):
    process = started(tmp_path)
    process.kill()
    process.communicate()
    path = find_run("last", tmp_path / "runs", "toy")
    (path / file).write_text(text)
    assert said in error_line(toy("train", "--resume", path))
    assert (path / file).read_text() == text
    assert (path / "checkpoints" / "last.json").exists()


def test_help_names_every_option_and_imports_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, '.'); import toy_project\n"
        "try: toy_project.main(['train', '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'numpy', 'pandas', 'matplotlib', 'rich', 'scipy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=TOY.parent, capture_output=True, text=True, timeout=600)
    assert result.stdout.splitlines()[-1] == "[]", result.stdout + result.stderr
    for option in ("--preset", "--resume", "--runs-dir", "--json", "--data", "--epochs", "--seed", "--width"):
        assert option in result.stdout


def test_a_runs_folder_that_is_a_file_is_refused(toy, tmp_path):
    (tmp_path / "file").write_text("")
    result = toy("train", "--runs-dir", tmp_path / "file")
    assert result.returncode == 2
    assert result.stderr.startswith("error: Not a directory")


def test_a_verb_that_trains_takes_the_options_of_the_configuration_beside_its_own(toy):
    found = json.loads(
        toy("search", "--trials", "7", "--data", "sample", "--preset", "full", "--width", "5", "--json").stdout
    )
    assert found == {"data": "sample", "width": 5, "trials": 7}
    assert "--preset must be one of" in toy("search", "--preset", "huge").stderr
