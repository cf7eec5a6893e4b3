"""The demo, with projects that end in every way: it goes on, says what failed, and writes the page."""

import json
import sys

import pytest
from fake_environments import load_tool, make_programs

GOOD = """#!{python}
import sys
from dataclasses import dataclass
from pathlib import Path
from dl_shared.config import TrainConfig
from dl_shared.runs import Run

assert sys.argv[1:7] == ["train", "--data", "sample", "--preset", "quick", "--runs-dir"]
config = TrainConfig(data="sample", epochs=2, batch_size=1)
where = {{"runs_dir": Path(sys.argv[7]), "task": "toy", "framework": "none", "primary": "accuracy"}}
with Run.start("good-project", config, **where) as run:
    run.update("metrics", test={{"accuracy": 0.81}}, baseline={{"accuracy": 0.5}})
    run.update("metrics", optimum={{"accuracy": 0.9}}, gap_closed=0.775)
"""
TOUR = """#!{python}
import sys
from pathlib import Path
from PIL import Image

assert sys.argv[1].endswith("nlp_tour.py")
Path(sys.argv[2]).mkdir(parents=True)
Image.new("RGB", (8, 8)).save(Path(sys.argv[2], "chat.png"))
print("7 of 7 tasks answered")
"""
BAD = """#!/bin/sh
echo "training"
echo "error: the disk is full" >&2
exit 2
"""


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The demo in an empty folder, where `bad-project` and all of the package `broken` fail."""
    module = load_tool("demo", monkeypatch)
    good = {"good-project": GOOD.format(python=sys.executable), "python": TOUR.format(python=sys.executable)}
    programs = make_programs(tmp_path / "programs", {"bad-project": BAD} | good)
    where = ["--nox", str(programs / "nox"), "--folder", str(tmp_path / "demo")]
    return lambda *projects: module.main([*projects, *where])


def test_a_failure_ends_no_other_project_and_is_reported(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("demo.CHROMIUM", None)
    status = demo("sound/bad-project", "sound/good-project", "broken/lost-project", "sound/dl-nlp-tool")
    said = capsys.readouterr().out
    assert status == 1
    assert "bad-project failed: status 2, error: the disk is full" in said
    assert "lost-project failed: the environment of broken could not be built: no wheel for this machine" in said
    assert "dl-nlp-tool is left out: no Chromium is installed" in said
    assert "1 finished, 2 failed" in said
    row = next(line for line in said.splitlines() if line.startswith("good-project") and "0.81" in line)
    assert row.split()[-6:] == ["accuracy", "0.8100", "0.5000", "0.9000", "77.5", "%"]
    assert (tmp_path / "demo" / "logs" / "bad-project.log").read_text() == "training\nerror: the disk is full\n"
    assert "good-project" in (tmp_path / "demo" / "index.html").read_text()
    assert "| **" not in (tmp_path / "demo" / "index.md").read_text(), "one run alone is not the best"
    assert said.rstrip().endswith("index.html")


def test_a_second_demo_shows_its_own_run_and_knows_how_long_the_first_took(demo, tmp_path):
    for _ in range(2):
        assert demo("sound/good-project") == 0
    assert len(list((tmp_path / "demo" / "runs").glob("good-project/*"))) == 1
    assert list(json.loads((tmp_path / "demo" / "times.json").read_text())) == ["good-project"]


def test_the_tool_is_asked_its_tasks_and_its_pictures_are_on_the_page(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("demo.CHROMIUM", "chromium")
    assert demo("sound/dl-nlp-tool", "sound/good-project") == 0
    assert "7 of 7 tasks answered" in capsys.readouterr().out
    page = (tmp_path / "demo" / "index.html").read_text()
    assert '<h2 id="more">dl-nlp-tool</h2>' in page
    assert "<figcaption>Chat</figcaption>" in page


def test_nothing_is_shown_of_a_project_whose_environment_broke_since(demo, tmp_path):
    assert demo("sound/good-project") == 0
    assert demo("broken/good-project") == 1
    assert not list((tmp_path / "demo" / "runs").glob("good-project/*"))
