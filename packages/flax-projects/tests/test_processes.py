"""Two processes, joined by `jax.distributed`, are one run."""

import json
import os
import re
import socket
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

from dl_shared.runs import find_run, read_history, read_summary
from flax_projects.cifar10.cli import main

SCRIPT = [sys.executable, "-c", "import sys; from flax_projects.cifar10.cli import main; sys.exit(main())"]
OPTIONS = "--epochs 2 --batch-size 18 --model cnn --widths 4 --precision fp32 --chunk-steps 3 --checkpoint-seconds 0"


def start(number, port, *arguments):
    """One of two processes that are to be joined."""
    told = {"COORDINATOR_ADDRESS": f"localhost:{port}", "NUM_PROCESSES": "2", "PROCESS_ID": str(number)}
    env = os.environ | {f"JAX_{name}": value for name, value in told.items()}
    command = [*SCRIPT, "train", *map(str, arguments)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def both(*arguments):
    """Exit status, stdout and stderr of both."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [start(number, port, *arguments) for number in range(2)]
    ended = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, ended, strict=True)]


def test_two_processes_give_the_result_of_one_and_keep_one_run(few_images, tmp_path, capsys):
    flags = ["--data", str(few_images), *OPTIONS.split(), "--json"]
    ended = both(*flags, "--distributed", "--runs-dir", tmp_path / "two")
    for status, _, errors in ended:
        assert status == 0, errors
    assert [json.loads(out) for _, out, _ in ended] == [json.loads(ended[0][1])] * 2
    two = find_run("last", tmp_path / "two")
    assert len(list(two.parent.iterdir())) == 1
    assert read_summary(two)["cost"]["device"].startswith("2 x ")
    assert (two / "report.html").exists()

    assert main(["train", *flags, "--runs-dir", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    one = find_run("last", tmp_path / "one")
    losses = [[row["loss"] for row in read_history(run) if row["split"] == "train"] for run in (one, two)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5)
    tables = [pq.read_table(run / "predictions.parquet").to_pandas().select_dtypes("number") for run in (one, two)]
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)


def test_what_the_first_process_refuses_ends_both(tmp_path):
    for status, _, errors in both("--resume", tmp_path / "nothing", "--runs-dir", tmp_path):
        assert status == 2
        assert "Traceback" not in errors
    (tmp_path / "file").write_text("")
    for status, _, errors in both("--data", "sample", "--distributed", "--runs-dir", tmp_path / "file"):
        assert re.search("^error: ", errors, re.M), errors
        assert status == 2


def test_processes_that_cannot_be_joined(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("JAX_COORDINATOR_ADDRESS", raising=False)
    result = subprocess.run(
        [*SCRIPT, "train", "--data", "sample", "--distributed", "--runs-dir", tmp_path], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert re.search("^error: the processes cannot be joined", result.stderr, re.M), result.stderr
