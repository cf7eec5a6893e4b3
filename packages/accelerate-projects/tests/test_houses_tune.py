"""The search: killed and called again it ends as one never stopped; what it finds can be trained with."""

import json
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from accelerate_projects.houses.cli import main
from accelerate_projects.houses.config import GROUPS
from accelerate_projects.houses.tune import SPACE, Candidate
from dl_shared.sample.houses import make_houses
from dl_shared.tuning import results

TRIALS = 2


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("houses")
    make_houses(150, seed=0).table.to_csv(folder / "train.csv", index=False)
    return ["tune", "--data", str(folder), "--trials", str(TRIALS), "--pruner", "none", "--json"]


def test_each_group_is_searched_and_can_be_tried():
    base = {"data": "sample", "seed": 0, "penalty": 1.0, "threshold": 0.1, "trim": 0.0, "margin": 0.1}
    assert Candidate(**base).features == GROUPS
    assert set(SPACE) == {"penalty", "threshold", "trim", "margin", *GROUPS}
    with pytest.raises(ValueError, match="no group"):
        Candidate(**base, **dict.fromkeys(GROUPS, False))


def test_killed_and_called_again_it_ends_the_same(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(results, "_draw", lambda *_: None)  # tested where it is written, and slow
    assert main([*command, "--runs-dir", str(tmp_path / "whole")]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["train_with"].startswith("--penalty ")
    killed = [sys.executable, "-m", "accelerate_projects.houses", *command, "--runs-dir", str(tmp_path / "killed")]
    studies = tmp_path / "killed" / "accelerate-houses" / "tuning" / "studies.db"
    with subprocess.Popen(killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not studies.exists() or trials_in(studies) < 1:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert main([*command, "--runs-dir", str(tmp_path / "killed")]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["best_value"] == whole["best_value"]
    assert again["best"] == whole["best"]
    tables = [
        pd.read_csv(tmp_path / name / "accelerate-houses/tuning/default/trials.csv") for name in ("whole", "killed")
    ]
    complete = [sorted(table.loc[table["state"] == "complete", "value"]) for table in tables]
    assert complete[0] == complete[1]
    assert len(complete[0]) == TRIALS


def trials_in(studies) -> int:
    import sqlite3

    with sqlite3.connect(f"file:{studies}?mode=ro", uri=True) as database:
        try:
            return database.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0]
        except sqlite3.OperationalError:  # no table yet, or it is being written
            return 0
