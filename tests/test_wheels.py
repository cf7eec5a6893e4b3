"""Each wheel installs alone into an empty environment, and its scripts work there, far from this checkout."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FEWER = {"dl-cnn-compare": ("--architectures", "lenet", "--datasets", "mnist")}  # of 18 cells
DISTRIBUTIONS = [ROOT / "shared", *sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))]


def run(*command, **keywords):
    keywords.setdefault("timeout", 900)
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **keywords)
    assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    for distribution in DISTRIBUTIONS:
        run("uv", "build", "--wheel", "--quiet", "--out-dir", folder, distribution)
    assert len(list(folder.glob("*.whl"))) == len(DISTRIBUTIONS)
    return folder


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda path: path.name)
def test_a_wheel_installs_alone_and_its_scripts_work(wheels, distribution, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"DL_CACHE_DIR": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    run("uv", "venv", "--quiet", "--python", sys.executable, tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    pins = distribution / "constraints.txt"
    run("uv", "pip", "install", "--quiet", "--python", python, "--find-links", wheels, "-c", pins, distribution.name
        if distribution.name != "shared" else "dl-shared")  # fmt: skip
    run("uv", "pip", "check", "--python", python)
    for script in tomllib.loads((distribution / "pyproject.toml").read_text())["project"]["scripts"]:
        program = tmp_path / "env" / "bin" / script
        assert script in run(program, "--help", cwd=tmp_path, env=environment)
        if distribution.name == "shared":
            continue
        command = (program, "train", "--data", "sample", "--preset", "quick", "--epochs", 1, "--json")
        metrics = json.loads(run(*command, *FEWER.get(script, ()), cwd=tmp_path, env=environment))
        assert metrics["test"]
        assert metrics["optimum"]
        assert list(tmp_path.glob(f"runs/{script}/*/report.html"))
