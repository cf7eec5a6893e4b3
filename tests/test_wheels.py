"""Each wheel installs alone into an empty environment, and its scripts work there, far from this checkout.

Trainings are those that the package's README shows for sample data, cut to one epoch.
"""

import json
import os
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request

import pytest
from commands import DISTRIBUTIONS, commands_of

FEWER = {"dl-cnn-compare": ("--architectures", "lenet", "--datasets", "mnist")}  # of 18 cells
NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")  # where nobody listens
ASKED = "Ann Smith made this wonderful film in 1999. It is about a dog. The dog runs home, and everybody is happy."


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


def check_training(distribution, script, program, **where):
    """A short training on sample data ends with its figures and its report."""
    commands = (command.words for command in commands_of(distribution / "README.md") if command.block)
    shown = next(words for words in commands if words[:2] == (script, "train") and {"sample", "quick"} & {*words})
    metrics = json.loads(run(program, *shown[1:], "--epochs", 1, "--json", *FEWER.get(script, ()), **where))
    assert metrics["test"]
    assert metrics["optimum"]
    assert list(where["cwd"].glob(f"runs/{script}/*/report.html"))


def check_nlp_tool(distribution, script, program, **where):
    """What is in the package answers in a terminal with no network, and the page opens."""
    where["env"] = where["env"] | NO_NETWORK | {"XDG_DATA_HOME": str(where["cwd"] / "data")}
    models = json.loads(run(program, "models", "--json", **where))["rows"]
    embedded = [row for row in models if row["id"].startswith("embedded:") and row["ready"]]
    ours = {task: row["id"] for row in embedded for task in row["tasks"]}
    answers = {}
    assert len(ours) == 7
    for task, model in ours.items():
        more = {"question": ("--question", "When was the film made?"), "image": ("--output", "drawn.png")}.get(task, ())
        asked = "a sneaker" if task == "image" else ASKED
        answers[task] = json.loads(run(program, "run", task, "--text", asked, *more, "--json", **where))
        assert answers[task]["model"] == model
    assert (where["cwd"] / "drawn.png").read_bytes().startswith(b"\x89PNG")
    assert answers["sentiment"]["label"] == "positive"
    assert answers["question"]["text"] == "1999"
    assert set(answers["summary"]["text"].split(". ")) < set(ASKED.split(". "))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    page = subprocess.Popen([program, "--no-browser", "--port", str(port)], **where)
    try:
        assert page_opens(page, f"http://127.0.0.1:{port}")
    finally:
        page.kill()
        page.wait()
    assert (where["cwd"] / "data" / "dl-nlp-tool" / "feedback.sqlite3").is_file()


def page_opens(process, url):
    """Whether a server answers before it ends."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.2)
    return False


NO_TRAINING = {"dl-nlp-tool": check_nlp_tool}


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
        if distribution.name != "shared":
            check = NO_TRAINING.get(script, check_training)
            check(distribution, script, program, cwd=tmp_path, env=environment)
