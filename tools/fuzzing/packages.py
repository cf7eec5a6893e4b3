"""The console scripts of the packages and their options, which they tell without importing their frameworks."""

import importlib
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@lru_cache(maxsize=1)
def scripts() -> dict[str, str]:
    """`module:function` of each console script of the packages; all can be imported from now on."""
    found: dict[str, str] = {}
    for project in sorted(ROOT.glob("packages/*/pyproject.toml")):
        sys.path.append(str(project.parent / "src"))
        found |= tomllib.loads(project.read_text())["project"]["scripts"]
    return found


def main_of(script: str) -> Callable[[Sequence[str]], int]:
    """The function behind a console script."""
    module, _, function = scripts()[script].partition(":")
    return getattr(importlib.import_module(module), function)


@lru_cache(maxsize=1)
def presets() -> dict[str, Mapping[str, Any]]:
    """The configurations of each project that has any, by the project's name and their own."""
    modules = {name: entry.partition(":")[0].removesuffix(".cli") for name, entry in scripts().items()}
    found = {name: importlib.import_module(f"{module}.cli") for name, module in modules.items()}
    return {name: module.PRESETS for name, module in found.items() if hasattr(module, "PRESETS")}
