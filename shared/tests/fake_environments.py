"""A nox that builds nothing: environments are a folder of programs, except for the package `broken`, which has none."""

import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOX = """#!/bin/sh
case "$4" in *broken*) echo "no wheel for this machine"; exit 1;; esac
printf %s "$(dirname "$0")" > "$6"
"""


def make_programs(folder, programs):
    """A folder of the nox and these programs, by name and text."""
    folder.mkdir()
    for name, text in ({"nox": NOX} | programs).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def load_tool(name, monkeypatch):
    """A module of tools/, which finds the others that are there."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module(name)
