"""Lines of code: what is counted, and for whom."""

import importlib
import sys

import pytest

from dl_shared.code_lines import count_lines, training_code
from dl_shared.config import TrainConfig
from dl_shared.runs import Run, read_summary

MODEL = '''"""A docstring
of two lines."""

import math  # counts

# does not
WIDTH = 3
"""Says what it is."""


def area(radius):
    """Says what it does."""

    text = """three
lines
of text"""
    return (
        math.pi

        * radius**2
    ), text
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A package with two projects, and what they share."""
    folder = tmp_path / "counted_projects"
    files = {
        "cats/model.py": MODEL,
        "cats/config.py": "A = 1\n",
        "cats/predict.py": "A = 1\n",
        "dogs/model.py": "A = 1\n",
    }
    files |= {"loop.py": "A = 1\nB = 2\n", "cats/parts/block.py": "A = 1\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in (".", "cats", "dogs", "cats/parts"):
        (folder / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("counted_projects.cats.config")
    __import__("counted_projects.cats.model")
    __import__("counted_projects.cats.parts.block")
    __import__("counted_projects.dogs.model")
    __import__("counted_projects.loop")
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "counted_projects"]:
        del sys.modules[name]


def test_blank_lines_comments_and_docstrings_are_no_code(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    assert count_lines(tmp_path / "model.py") == 2 + 1 + 3 + 4


def test_a_project_counts_its_own_code_and_what_its_package_shares(project):
    """Of what was imported: neither the options, nor the sibling, nor what nobody asked for."""
    assert training_code("counted_projects.cats.config") == {"code_lines": 10 + 1, "shared_code_lines": 2}


def test_a_run_counts_what_it_imports_until_it_ends(project, tmp_path):
    class Config(TrainConfig):
        __module__ = "counted_projects.cats.config"

    options = {"task": "pets", "framework": "none", "primary": "accuracy", "runs_dir": tmp_path}
    with Run.start("cats", Config(epochs=1, batch_size=1), **options) as run:
        importlib.import_module("counted_projects.cats.predict")
    cost = read_summary(run.path)["cost"]
    assert (cost["code_lines"], cost["shared_code_lines"]) == (10 + 1 + 1, 2)


def test_nothing_is_said_of_what_is_no_project_or_cannot_be_read(project):
    assert training_code("test_report") == {}
    assert training_code("__main__") == {}
    (project / "loop.py").unlink()
    assert training_code("counted_projects.cats.config") == {}
