"""Checkpoints as each framework writes them: a small run of one project of the package that is installed, damaged."""

import importlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dl_shared.files import read_json, write_json
from dl_shared.runs import find_run
from dl_shared.testing import write_prices
from dl_shared.testing.training import Training
from fuzzing.damage import Files, by_values
from fuzzing.formats import Format
from fuzzing.of_scripts import run_script
from fuzzing.packages import ROOT, main_of
from fuzzing.source import Source

LOADERS = {
    "flax": "flax_projects.stocks.ensemble:load_ensemble",
    "lightning": "lightning_projects.stocks.predict:load_run",
    "accelerate": "accelerate_projects.stocks.predict:load_run",
    "xla": "xla_projects.stocks.predict:load_run",
}
"""By package: what reads the best network of a finished run of its stock project."""
RESUMED = ("lightning",)
"""Whose runs are resumed too: others compile for many seconds, or read a checkpoint by nothing but its loader."""
KEPT = ("checkpoints", "config.json", "forecaster.json", "summary.json", "metrics.jsonl")
"""Of a run: what loading and resuming read."""


def _formats(package: str) -> list[Format]:
    script = f"{package}-stocks"
    formats = [
        Format(name=f"{script}: load", seeds={"finished": _finished(script)}, break_=_damage, read=_load(package))
    ]
    if package in RESUMED:
        seeds = {"interrupted": _interrupted(script)}
        formats.append(Format(name=f"{script}: resume", seeds=seeds, break_=_damage, read=_resume(script), share=0.01))
    return formats


def _finished(script: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        run = find_run("last", _made_once(script, lambda runs: _train(script, runs)), script)
        for name in KEPT:
            copy: Callable[..., Any] = shutil.copytree if (run / name).is_dir() else shutil.copyfile
            copy(run / name, folder / name)

    return write


def _interrupted(script: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        _finished(script)(folder)
        summary = read_json(folder / "summary.json")
        write_json(folder / "summary.json", summary | {"status": "interrupted", "metrics": {}})

    return write


def _train(script: str, runs: Path) -> None:
    """With the options of the package's own tests."""
    sys.path.append(str(ROOT / "packages" / f"{script.partition('-')[0]}-projects" / "tests"))
    options = importlib.import_module("stocks_tools").OPTIONS
    flags = Training(script, {**options, "data": _made_once("prices", write_prices)}).flags(runs)
    run_script(main_of(script), ["train", *flags], works=True)


def _made_once(name: str, make: Callable[[Path], Any]) -> Path:
    """A folder that the first process fills which asks for it: a run takes long, and no two of them are the same."""
    folder = Path(os.environ["DL_FUZZ_SEEDS"], name)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        make(temporary)
        try:
            temporary.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(temporary)
    return folder


def _damage(files: Files, source: Source) -> Files:
    """Mostly of a checkpoint."""
    checkpoints = {name: raw for name, raw in files.items() if name.startswith("checkpoints/")}
    others = {name: raw for name, raw in files.items() if name not in checkpoints}
    if source.rng.random() < 0.8:
        return others | by_values(checkpoints, source.rng)
    return checkpoints | by_values(others, source.rng)


def _load(package: str) -> Callable[[Path, str], Any]:
    module, _, function = LOADERS[package].partition(":")
    load = getattr(importlib.import_module(module), function)
    return lambda path, seed: load(path)


def _resume(script: str) -> Callable[[Path, str], Any]:
    return lambda path, seed: run_script(main_of(script), ["train", "--resume", str(path)], works=True)


def _is_installed(package: str) -> bool:
    return any(importlib.metadata.distributions(name=f"{package}-projects"))


FORMATS = [format_ for package in LOADERS if _is_installed(package) for format_ in _formats(package)]
