"""Two processes, joined by `jax.distributed`, are one run."""

import importlib
import json
import os
import re
import socket
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from stocks_tools import OPTIONS as STOCKS
from stocks_tools import write_prices

from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.sample.grammar import make_text

IMAGES = {"batch_size": 18, "model": "cnn", "widths": (4,), "precision": "fp32"}
TEXT = {"batch_size": 4, "segment": 16, "layers": 1, "width": 16, "samples": 2, "precision": "fp32"}
COMMON = {"epochs": 2, "chunk_steps": 3, "checkpoint_seconds": 0}


def script(project):
    module = f"flax_projects.{project.removeprefix('flax-')}.cli"
    return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]


def start(number, port, project, *arguments):
    """One of two processes that are to be joined."""
    told = {"COORDINATOR_ADDRESS": f"localhost:{port}", "NUM_PROCESSES": "2", "PROCESS_ID": str(number)}
    env = os.environ | {f"JAX_{name}": value for name, value in told.items()}
    command = [*script(project), "train", *map(str, arguments)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def both(project, *arguments):
    """Exit status, stdout and stderr of both."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [start(number, port, project, *arguments) for number in range(2)]
    ended = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended, strict=True)]


@pytest.fixture
def flags(request, few_images, tmp_path):
    """Project and options of a small training."""
    (tmp_path / "plays.txt").write_text("".join(make_text(120, seed=1)))
    sources = {
        "flax-cifar10": (few_images, IMAGES),
        "flax-shakespeare": (tmp_path / "plays.txt", TEXT),
        "flax-stocks": (write_prices(tmp_path / "prices", days=500), STOCKS),
    }
    data, options = sources[request.param]
    found = ["--data", str(data), "--json"]
    for name, value in (options | COMMON).items():
        found += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else (value,))]
    return request.param, found


@pytest.mark.parametrize("flags", ["flax-cifar10", "flax-shakespeare", "flax-stocks"], indirect=True)
def test_two_processes_give_the_result_of_one_and_keep_one_run(flags, tmp_path, capsys):
    project, options = flags
    ended = both(project, *options, "--distributed", "--runs-dir", tmp_path / "two")
    for status, _, errors in ended:
        assert status == 0, errors
    assert json.loads(ended[0][1]) == json.loads(ended[1][1])
    two = find_run("last", tmp_path / "two")
    assert len(list(two.parent.iterdir())) == 1
    assert read_summary(two)["cost"]["device"].startswith("2 x ")
    assert (two / "report.html").exists()

    main = importlib.import_module(f"flax_projects.{project.removeprefix('flax-')}.cli").main
    assert main(["train", *options, "--runs-dir", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    one = find_run("last", tmp_path / "one")
    losses = [[row["loss"] for row in read_history(run) if row["split"] == "train"] for run in (one, two)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5)
    tables = [pq.read_table(run / "predictions.parquet").to_pandas().select_dtypes("number") for run in (one, two)]
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4, atol=1e-4)


def test_what_the_first_process_refuses_ends_both(tmp_path):
    for status, _, errors in both("flax-cifar10", "--resume", tmp_path / "nothing", "--runs-dir", tmp_path):
        assert status == 2
        assert "Traceback" not in errors
    (tmp_path / "file").write_text("")
    for status, _, errors in both("flax-cifar10", "--data", "sample", "--distributed", "--runs-dir", tmp_path / "file"):
        assert re.search("^error: ", errors, re.M), errors
        assert status == 2


def test_processes_that_cannot_be_joined(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("JAX_COORDINATOR_ADDRESS", raising=False)
    result = subprocess.run(
        [*script("flax-cifar10"), "train", "--data", "sample", "--distributed", "--runs-dir", tmp_path],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert re.search("^error: the processes cannot be joined", result.stderr, re.M), result.stderr
