"""Whether frameworks agree, asked of programs that stand in for them: what agrees, what differs, what fails."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOX = """#!/bin/sh
case "$4" in *flax*) echo "no wheel for this machine"; exit 1;; esac
printf %s "$(dirname "$0")" > "$6"
"""
PYTHON = """#!{python}
import sys
from pathlib import Path

script, given, wanted = map(Path, sys.argv[1:])
sys.path.insert(0, str(script.parent))
from cases import Outcome, read_cases, write_outcomes

outcomes = {{
    name: Outcome(f"some.{{script.stem}}.Network", case.inputs, 0.5, {{n: w.copy() for n, w in case.weights.items()}})
    for name, case in read_cases(given).items()
}}
if script.stem == "with_xla":
    outcomes["lstm"].gradients["layers.1.recurrent"][2] *= {factor}
write_outcomes(wanted, outcomes)
"""
PROJECT = """#!{python}
import sys
from pathlib import Path
from dl_shared.config import TrainConfig
from dl_shared.runs import Run

name, options = Path(sys.argv[0]).name, sys.argv[1:]
assert options[0] == "train" and options[options.index("--lookback") + 1] == "32"
where = {{"runs_dir": Path(options[-1]), "task": "stocks", "framework": "none", "primary": "mae"}}
with Run.start(name, TrainConfig(data="sample", epochs=1, batch_size=1), **where) as run:
    run.record_data(source="sample", fingerprint={data}.get(name, "the same"), rows={{"train": 8, "test": 4}})
    skill = {skill}.get(name, 0.10)
    scores = {{"mae": 1.5, "mae_ci": [1.2, 1.8], "skill": skill, "skill_ci": [skill - 0.01, skill + 0.01]}}
    run.update("metrics", test=scores, baseline={{"mae": 1.6}}, gap_closed=0.9)
"""


@pytest.fixture
def tools(monkeypatch):
    """A module of tools/, by its name."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module


@pytest.fixture
def parity(tools, tmp_path):
    """The command, with frameworks that agree but for what is said, and an environment of Flax that is broken."""
    main = tools("parity").main

    def run(part, *, nox=NOX, factor=1.0, data=None, skill=None):
        programs = tmp_path / "programs"
        programs.mkdir(exist_ok=True)
        project = PROJECT.format(python=sys.executable, data=data or {}, skill=skill or {})
        names = [
            f"{name}-{task}" for name in ("flax", "lightning", "accelerate", "xla") for task in ("stocks", "cifar10")
        ]
        made = {"nox": nox, "python": PYTHON.format(python=sys.executable, factor=factor)}
        for name, text in (made | dict.fromkeys(names, project)).items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        return main([part, "--nox", str(programs / "nox"), "--folder", str(tmp_path / "parity")])

    return run


SOUND = NOX.replace("*flax*", "*nothing*")


def test_frameworks_that_compute_the_same_agree(parity, tmp_path, capsys):
    assert parity("weights", nox=SOUND) == 0
    said = capsys.readouterr().out
    assert sum(line.rstrip().endswith(" equal") for line in said.splitlines()) == 3 * 5
    assert "differs" not in said
    records = json.loads((tmp_path / "parity" / "weights.json").read_text())
    assert {record["network"] for record in records} == {"lstm", "cnn", "resnet"}
    assert all(record["equal"] and record["gradients"] == 0 for record in records)
    lines = (tmp_path / "parity" / "weights.md").read_text().splitlines()
    assert "| lstm | Flax | some.with_flax.Network | 0.0e+00 | 0.5000000 | 0.0e+00 | 0.0e+00 | equal |" in lines


@pytest.mark.parametrize("factor", [1.001, 'float("nan")'])
def test_a_gradient_that_is_a_thousandth_off_or_no_number_is_a_failure_and_is_named(parity, capsys, factor):
    assert parity("weights", nox=SOUND, factor=factor) == 1
    rows = [line for line in capsys.readouterr().out.splitlines() if "differs" in line]
    assert len(rows) == 1
    assert rows[0].split()[:2] == ["lstm", "PyTorch/XLA"]
    assert rows[0].rstrip().endswith("differs: gradient of layers.1.recurrent")


def test_a_framework_that_cannot_be_asked_is_a_failure_and_the_others_are_compared(parity, tmp_path, capsys):
    assert parity("weights") == 1
    said = capsys.readouterr().out
    assert "Flax failed: the environment of flax could not be built: no wheel for this machine" in said
    assert "with_xla" in said
    assert {"framework": "flax"}.items() <= json.loads((tmp_path / "parity" / "weights.json").read_text())[-1].items()


def test_what_is_missing_of_another_shape_or_no_number_is_never_equal(tools):
    cases, weights = tools("networks.cases"), tools("parity_weights")
    expected = cases.Outcome("Net", np.ones((2, 3)), 1.0, {"a": np.ones(2), "b": np.ones(3)})
    others = [
        replace(expected, gradients={"a": np.ones(2)}),
        replace(expected, gradients=expected.gradients | {"c": np.ones(1)}),
        replace(expected, outputs=np.ones((3, 2))),
        replace(expected, outputs=np.full((2, 3), np.nan)),
        replace(expected, loss=1.0001),
    ]
    assert not weights.compare("net", "flax", expected, expected).unequal
    assert all(weights.compare("net", "flax", other, expected).unequal for other in others)


def test_all_frameworks_are_given_the_same_numbers(tools, tmp_path):
    cases = tools("networks.cases")
    cases.write_cases(tmp_path / "cases.safetensors", cases.make_cases())
    read, made = cases.read_cases(tmp_path / "cases.safetensors"), cases.make_cases()
    assert set(read) == {"lstm", "cnn", "resnet"}
    for name, case in made.items():
        np.testing.assert_array_equal(read[name].inputs, case.inputs)
        np.testing.assert_array_equal(read[name].targets, case.targets)
        for part, array in case.weights.items():
            np.testing.assert_array_equal(read[name].weights[part], array)
    assert read["lstm"].weights["layers.1.input"].shape == (4, cases.HIDDEN, cases.HIDDEN)


def test_projects_within_each_others_intervals_agree(parity, tmp_path, capsys):
    another_network = {"flax-stocks": 0.05}
    assert parity("metrics", nox=SOUND, skill={"xla-stocks": 0.105} | another_network) == 0
    said = capsys.readouterr().out
    assert "skill 0.1050, 0.0950 to 0.1150" in said
    assert "Each figure lies in the 95 % intervals" in said
    records = json.loads((tmp_path / "parity" / "metrics.json").read_text())
    assert [record["project"] for record in records] == [
        *("lightning-stocks", "accelerate-stocks", "xla-stocks", "flax-stocks")
    ]


def test_a_project_outside_of_an_interval_or_on_other_data_is_named(parity, capsys):
    assert parity("metrics", nox=SOUND, skill={"xla-stocks": 0.15}, data={"flax-stocks": "another"}) == 1
    said = capsys.readouterr().out
    assert "skill of xla-stocks lies outside of the interval of lightning-stocks" in said
    assert "mae of xla-stocks" not in said
    assert "flax-stocks was run on other data than lightning-stocks" in said


def test_a_part_that_there_is_not_is_said_in_one_line(parity, capsys):
    with pytest.raises(SystemExit) as ended:
        parity("wieghts")
    assert ended.value.code == 2
    assert "there is no wieghts; there are weights, metrics" in capsys.readouterr().err
