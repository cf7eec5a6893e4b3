"""The console script from outside: good input through every verb, and bad input in one line."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys

import pytest

from dl_architectures.seq2seq.cli import main
from dl_shared.testing import help_without_frameworks

SMALL = ["--epochs", "1", "--train-size", "300", "--test-size", "100", "--max-length", "5", "--symbols", "6"]
SMALL += ["--hidden-size", "16", "--batch-size", "20"]


def in_a_process(*arguments, cwd):
    """The console script as a person starts it; slow, because every process imports PyTorch anew."""
    command = [sys.executable, "-m", "dl_architectures.seq2seq.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """Calls the entry point of dl-seq2seq, in a folder of its own."""
    folder = tmp_path_factory.mktemp("cli")

    def call(*arguments):
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = main([str(argument) for argument in arguments])
        return subprocess.CompletedProcess(arguments, status, stdout.getvalue(), stderr.getvalue())

    call.folder = folder
    return call


@pytest.fixture(scope="module")
def run(script):
    result = in_a_process("train", *SMALL, cwd=script.folder)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["baseline", "result", "optimum", "gap", "report"]
    (found,) = (script.folder / "runs" / "dl-seq2seq").iterdir()
    return found


@pytest.fixture
def copy(run, tmp_path):
    """The run, to be damaged."""
    return shutil.copytree(run, tmp_path / "copy")


def error_line(result):
    """The one line of a refusal; fails if there is more than that, or another exit status."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert result.stdout == ""
    return lines[0]


def test_help_imports_no_framework():
    shown = help_without_frameworks("dl_architectures.seq2seq.cli", "train", "evaluate", "predict", "compare")
    for option in ("--teacher-forcing", "--beam", "--attentions"):
        assert option in shown


def test_predict_prints_one_row_a_sequence(script, run):
    result = script("predict", "1 2 3", "5,0", "--json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [row["source"] for row in rows] == ["1 2 3", "5 0"]
    assert all(0 < row["probability"] <= 1 for row in rows)
    beam = json.loads(script("predict", "1 2 3", "--beam", "4", "--json", "--run", run).stdout)["rows"]
    assert beam[0]["probability"] >= rows[0]["probability"] - 1e-6


def test_evaluate_on_the_sample_and_on_a_file(script, run):
    longer = script("evaluate", "--min-length", "8", "--max-length", "9", "--count", "50", "--json")
    assert longer.returncode == 0, longer.stderr
    assert 0 <= json.loads(longer.stdout)["test"]["exact_match"] <= 1
    (script.folder / "own.csv").write_text("sequence\n0,1\n5 4 3\n")
    own = script("evaluate", "--data", "own.csv", "--json")
    assert own.returncode == 0, own.stderr
    assert set(json.loads(own.stdout)["test"]) >= {"exact_match", "exact_match_ci", "f1"}
    kept = [json.loads(path.read_text())["data"]["source"] for path in (run / "evaluations").iterdir()]
    assert sorted(kept) == ["own.csv", "sample: 6 symbols, lengths 8 to 9, seed 1"]


def test_train_on_a_file(script):
    rows = {" ".join(str((i * k) % 7 - 3) for k in range(1, 3 + i % 4)) for i in range(120)}
    (script.folder / "train.txt").write_text("\n".join(sorted(rows)))
    result = script("train", "--data", "train.txt", "--epochs", "1", "--json", "--runs-dir", "file-runs")
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)) == {"validation", "test", "baseline", "optimum", "gap_closed"}


def test_compare_writes_table_picture_and_page(script):
    arguments = ("--preset", "quick", "--data", "train.txt", "--attentions", "luong", "location", "--seeds", "1")
    rows = sorted({" ".join(map(str, (i % 5, i % 3, i % 2, i % 7)[: 1 + i % 4])) for i in range(90)})
    (script.folder / "train.txt").write_text("\n".join(rows))
    result = script("compare", *arguments, "--runs-dir", "compare-runs", "--json")
    assert result.returncode == 0, result.stderr
    assert [row["attention"] for row in json.loads(result.stdout)["rows"]] == ["luong", "location"]
    assert "length_20" in json.loads(result.stdout)["rows"][0]
    folder = script.folder / "seq2seq-comparison"
    assert {path.name for path in folder.iterdir()} == {"index.html", "lengths.csv", "lengths.png"}
    assert (folder / "lengths.csv").read_text().splitlines()[0] == "attention,length,exact_match,low,high,sequences"


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_and_holds_at_five_times_the_length(script):
    result = in_a_process("train", "--preset", "quick", "--runs-dir", "quick-runs", "--json", cwd=script.folder)
    metrics = json.loads(result.stdout)
    assert metrics["gap_closed"] >= 0.9
    assert metrics["test"]["by_length"]["100"]["exact_match"] >= 0.99


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--data", "none.txt"), "none.txt does not exist"),
        (("train", "--data", "."), "is not a file"),
        (("train", "--data", "hub"), "no hub data"),
        (("train", "--data", "bad.txt"), "bad.txt, line 2: 'x' is not an integer"),
        (("train", "--attention", "transformer"), "attention"),
        (("train", "--hidden-size", "7"), "hidden_size must be even"),
        (("train", "--min-length", "5", "--max-length", "4"), "max_length must be at least min_length (5), got 4"),
        (("train", "--symbols", "2", "--max-length", "3"), "allow 14 distinct sequences"),
        (("train", "--learning-rate", "0"), "learning_rate must be above 0"),
        (("train", "--teacher-forcing-floor", "1.5"), "teacher_forcing_floor must be between 0 and 1"),
        (("train", "--precision", "fp16"), "precision must be fp32 or bf16"),
        (("train", "--device", "tpu"), "tpu is not for plain PyTorch"),
        (("train", "--resume", "nowhere"), "is not a run directory"),
        (("evaluate", "--run", "nowhere"), "is not a run directory"),
        (("evaluate", "--count", "0"), "count must be at least 1"),
        (("predict", "1 2", "--run", "nowhere"), "is not a run directory"),
        (("predict", "1 two"), "'two' is not an integer"),
        (("predict", "1 77"), "holds 77, which the model was not trained on"),
        (("predict", ""), "no integer in it"),
        (("predict", "1 2", "--beam", "0"), "beam must be at least 1"),
        (("compare", "--preset", "huge"), "preset must be one of full, quick"),
        (("reverse",), "reverse"),
    ],
)
def test_bad_input_is_refused_in_one_line(script, run, arguments, message):
    (script.folder / "bad.txt").write_text("1 2\n3 x\n")
    before = sorted(path for path in script.folder.rglob("*") if path.is_dir())
    assert message in error_line(script(*arguments))
    assert sorted(path for path in script.folder.rglob("*") if path.is_dir()) == before  # no litter


def test_bad_input_is_refused_by_the_process_too(script):
    assert "none.txt does not exist" in error_line(in_a_process("train", "--data", "none.txt", cwd=script.folder))


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_truncated_checkpoint_is_refused(script, copy, name):
    file = copy / "checkpoints" / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    summary = json.loads((copy / "summary.json").read_text())
    (copy / "summary.json").write_text(json.dumps(summary | {"status": "running"}))
    verb = ("predict", "1 2", "--run", copy) if name == "best" else ("train", "--resume", copy)
    result = script(*verb)
    assert result.returncode == 2
    assert f"{name}.safetensors is damaged" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("content", ['{"epochs": 1', "{}", '["a"]'])
def test_a_damaged_config_is_refused(script, copy, content):
    (copy / "config.json").write_text(content)
    assert "config.json" in error_line(script("evaluate", "--run", copy))


def test_a_run_without_its_model_is_refused(script, copy):
    (copy / "checkpoints" / "best.safetensors").unlink()
    assert "has no such checkpoint yet" in error_line(script("predict", "1 2", "--run", copy))


def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_space(tmp_path):
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    train = f"{sys.executable} -m dl_architectures.seq2seq.cli train"
    sizes = "--epochs 1 --train-size 600 --test-size 100 --max-length 5"
    steps = (
        f"mount -t tmpfs -o size=200k none {tmp_path}",
        f"{train} {sizes} --runs-dir {tmp_path} 2> {tmp_path.parent}/errors || echo status $?",
        f"mount -o remount,size=50m {tmp_path}",
        f"{train} --resume {tmp_path}/dl-seq2seq/*",
    )
    result = subprocess.run(["unshare", "-m", "sh", "-c", "; ".join(steps)], capture_output=True, text=True)
    errors = (tmp_path.parent / "errors").read_text()
    assert "status 2" in result.stdout
    assert re.search(r"^error: No space left on device.*; resume with: dl-seq2seq train --resume", errors, re.MULTILINE)
    assert "Traceback" not in errors
    assert "report.html" in result.stdout, result.stderr
