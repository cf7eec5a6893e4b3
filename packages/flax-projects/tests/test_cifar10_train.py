"""Killed, interrupted, resumed: the run ends where one never stopped does."""

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import pyarrow.parquet as pq
import pytest

from dl_shared.runs import read_history, read_summary
from flax_projects.cifar10.config import PRESETS, Config
from flax_projects.cifar10.train import train

MAIN = "import sys; from flax_projects.cifar10.cli import main; sys.exit(main())"
# A checkpoint after every step, so that kills fall into the writing of one.
OPTIONS = {
    "epochs": 3,
    "batch_size": 18,
    "model": "cnn",
    "widths": (4,),
    "chunk_steps": 1,
    "checkpoint_seconds": 0.0,
    "crop": 2,
    "ema": 0.5,
    "precision": "fp32",
    "learning_rate": 0.02,
}


def start(folder, runs):
    flags = []
    for name, value in OPTIONS.items():
        flags += [f"--{name.replace('_', '-')}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    command = [sys.executable, "-c", MAIN, "train", "--data", str(folder), "--runs-dir", str(runs), *flags]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def after_first_checkpoint(process, runs, seconds):
    """Wait for the first checkpoint, then a while; returns the run."""
    while not (found := list(runs.glob("flax-cifar10/*/checkpoints/last/[0-9]*"))):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    time.sleep(seconds)
    return found[0].parents[2]


def outcome(run: Path):
    """Everything a run ends with: all arrays of both checkpoints, every logged row, every prediction."""
    arrays = []
    for kind in ("last", "best"):
        with ocp.CheckpointManager(run / "checkpoints" / kind) as manager:
            step = manager.latest_step()
            restored = manager.restore(step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore()))
        leaves = [np.asarray(leaf) for leaf in leaves_of(restored["arrays"])]
        arrays.append((kind, step, leaves))
    return arrays, read_history(run), pq.read_table(run / "predictions.parquet").to_pydict()


def leaves_of(tree):
    import jax

    return jax.tree.leaves(tree)


def assert_same(run, reference):
    (arrays, history, predictions), (expected, rows, table) = outcome(run), reference
    assert history == rows
    assert predictions == table
    for (kind, step, leaves), (_, expected_step, others) in zip(arrays, expected, strict=True):
        assert step == expected_step, kind
        assert len(leaves) == len(others) > 3
        for leaf, other in zip(leaves, others, strict=True):
            np.testing.assert_array_equal(leaf, other)


@pytest.fixture(scope="module")
def uninterrupted(few_images, tmp_path_factory):
    run = train(Config(data=str(few_images), **OPTIONS), runs_dir=tmp_path_factory.mktemp("whole"))
    summary = read_summary(run)
    assert summary["status"] == "finished"
    assert summary["cost"].keys() >= {
        "train_seconds",
        "compile_seconds",
        "examples_per_second",
        "parameters",
        "peak_memory_bytes",
        "device",
        "precision",
    }
    assert len([row for row in read_history(run) if row["split"] == "validation"]) == OPTIONS["epochs"]
    return outcome(run)


def kill_and_resume(folder, runs, seconds):
    with start(folder, runs) as process:
        run = after_first_checkpoint(process, runs, seconds)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before the kill"
    assert read_summary(run)["status"] == "running"
    return train(Config(data=str(folder), **OPTIONS), resume=run)


def test_killed_at_a_random_moment_and_resumed_it_ends_the_same(few_images, tmp_path, uninterrupted):
    moment = random.uniform(0, 1.5)
    print(f"killed {moment:.3f} s after the first checkpoint")
    assert_same(kill_and_resume(few_images, tmp_path, moment), uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(10))
def test_killed_at_ten_random_moments(few_images, tmp_path, uninterrupted, turn):
    moment = random.uniform(0, 2.0)
    print(f"killed {moment:.3f} s after the first checkpoint")
    assert_same(kill_and_resume(few_images, tmp_path, moment), uninterrupted)


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(few_images, tmp_path, uninterrupted):
    with start(few_images, tmp_path) as process:
        run = after_first_checkpoint(process, tmp_path, 0.3)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        assert process.wait() == 130, errors
    assert f"resume with: flax-cifar10 train --resume {run}" in errors
    assert "Traceback" not in errors
    assert read_summary(run)["status"] == "interrupted"
    assert_same(train(Config(data=str(few_images), **OPTIONS), resume=run), uninterrupted)


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    options = asdict(PRESETS["quick"]) | {"data": "sample"}
    summary = read_summary(train(Config(**options), runs_dir=tmp_path))
    assert summary["metrics"]["gap_closed"] >= 0.9
    assert json.dumps(summary)
