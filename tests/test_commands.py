"""Every command that a README shows is one that its program takes: its own command line parses it, and nothing runs.

Those that train on sample data are also run, for an epoch, by `test_wheels.py`; what is done with a finished run is
tested by each package, on runs that its tests make.
"""

import ast
import importlib
import importlib.util
import re

import pytest
from commands import DISTRIBUTIONS, LAUNCHERS, PROJECTS, ROOT, SCRIPTS, commands_of, tracked

COMMANDS = [command for page in tracked("*.md") for command in commands_of(page)]
OURS = [command for command in COMMANDS if command.started]
OTHERS = [command for command in COMMANDS if not command.started]
UNCHECKED = LAUNCHERS | {"export", "gcloud", "tensorboard"}
"""Programs whose own options nothing here looks at."""


class Parsed(Exception):  # noqa: N818 (no error)
    """Raised in place of the work: the arguments are fine."""


@pytest.fixture
def parse_only(monkeypatch):
    """Console scripts that end when their options are parsed; the runs that these name need not be there."""
    for distribution in DISTRIBUTIONS:
        monkeypatch.syspath_prepend(distribution / "src")
    cli = importlib.import_module("dl_shared.cli")

    def stop(function):
        raise Parsed

    monkeypatch.setattr(cli, "_load", stop)
    monkeypatch.setattr(cli, "find_run", lambda run, *where: run)
    monkeypatch.setattr(cli, "read_config", lambda run, kind: kind())


def main_of(started):
    """The function behind `module:function`, or behind `python -m module`."""
    module, _, function = started.partition(":")
    if not function and importlib.util.find_spec(module).submodule_search_locations:
        module += ".cli" if importlib.util.find_spec(f"{module}.cli") else ".__main__"
    return getattr(importlib.import_module(module), function or "main")


def test_every_console_script_is_shown_with_its_commands():
    assert {command.started[0] for command in OURS} >= set(SCRIPTS.values())


@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_is_one_that_its_script_takes(command, parse_only, capsys):
    started, arguments = command.started
    arguments = ["cifar10" if word == "NAME" else word for word in arguments]
    try:
        status = main_of(started)(arguments)
    except Parsed:
        return
    except SystemExit as end:  # of --help
        status = end.code
    assert not status, capsys.readouterr().err


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_other_programs_are_given_what_is_there(command):
    program, *words = command.words
    if program.startswith("python") and words[0] != "-m":
        check_benchmark(*words)
    elif program == "pip":
        check_installation(words)
    elif program == "nox":
        check_session(words)
    else:
        assert program in UNCHECKED


def check_benchmark(file, *words):
    """`python benchmarks/NAME.py` knows the options that it is given."""
    strings = {node.value for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.Constant)}
    assert {word for word in words if word.startswith("--")} <= strings


def check_installation(words):
    """What is installed from here is here, with the extras named."""
    named = {project["name"]: project for project in PROJECTS.values()}
    for word in words:
        name, _, extras = word.rstrip("]").partition("[")
        if "/" in word:  # the page about TPUs has the repository copied to a folder `dl`
            path = ROOT / name.removeprefix("./").removeprefix("dl/")
            assert path.exists()
            project = PROJECTS.get(path)
        else:
            project = named.get(name)
        if project and extras:
            assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def check_session(words):
    """The session that nox is asked for is in the noxfile, and the package that it is for."""
    if "-s" in words:
        name, package = re.fullmatch(r"(\w+)(?:\((\w+)\))?", words[words.index("-s") + 1]).groups()
        noxfile = (ROOT / "noxfile.py").read_text()
        assert re.search(rf"^@nox\.session.*\n(?:@nox.*\n)*def {name}\(", noxfile, flags=re.MULTILINE)
        assert package is None or f'"{package}"' in noxfile
