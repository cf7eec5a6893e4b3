"""What is true of the whole repository: the arrows between packages, the files each has, the README's commands."""

import ast
import re
import tomllib

import pytest
from commands import DISTRIBUTIONS, ROOT, tracked

PACKAGES = DISTRIBUTIONS[1:]
LIBRARIES = {"nlp"}
"""Folders that are no project, but what one is built on; they import no project either."""

SOURCES = [path for path in tracked("*.py") if "src" in path.parts]


def imported(path):
    """The modules a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def test_there_is_something_to_check():
    assert len(PACKAGES) >= 2
    assert len(SOURCES) > 40


@pytest.mark.parametrize("package", DISTRIBUTIONS, ids=lambda path: path.name)
def test_each_distribution_stands_alone(package):
    for name in ("README.md", "LICENSE", "constraints.txt", "pyproject.toml"):
        assert (package / name).stat().st_size > 0
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    pinned = {
        line.split("==")[0].lower() for line in (package / "constraints.txt").read_text().splitlines() if "==" in line
    }
    needed = {re.split(r"[<>=\[ ]", line)[0].lower() for line in project["dependencies"]} - {"dl-shared"}
    assert needed <= pinned, f"no tested version of {needed - pinned}"


def test_no_package_imports_another_and_no_project_its_sibling():
    names = {path.name for package in PACKAGES for path in (package / "src").iterdir()}
    for path in SOURCES:
        if ROOT / "packages" not in path.parents:
            assert not names & {module.split(".")[0] for module in imported(path)}, path
            continue
        package, *inside = path.relative_to(next(p for p in path.parents if p.name == "src")).parts
        siblings = {folder.name for folder in path.parents[len(inside) - 1].iterdir() if folder.is_dir()} - {inside[0]}
        siblings -= LIBRARIES
        for module in imported(path):
            top, *rest = module.split(".")
            assert top not in names - {package}, f"{path} imports {module}"
            assert not (top == package and rest and rest[0] in siblings), f"{path} imports its sibling {module}"


def test_files_can_be_read_in_one_sitting():
    long = {
        str(path.relative_to(ROOT)): n for path in tracked("*.py") if (n := len(path.read_text().splitlines())) > 430
    }
    assert not long


def test_nothing_is_unpickled():
    """Text search, because the danger is the call, wherever it hides; the restricted unpickler is the one exception."""
    dangerous = re.compile(
        r"pickle\.loads?\(|allow_pickle\s*=\s*True|weights_only\s*=\s*False|trust_remote_code\s*=\s*True"
    )
    found = [str(path.relative_to(ROOT)) for path in SOURCES if dangerous.search(path.read_text())]
    assert not found


def test_ci_runs_the_second_command_of_the_readme():
    commands = re.findall(r"^```\w*\n(.+?)\n```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    assert commands[0].endswith("nox -s demo")
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == commands[1]


def test_readmes_link_to_files_that_exist():
    for readme in tracked("*.md"):
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", readme.read_text()):
            assert (readme.parent / target).exists(), f"{readme.relative_to(ROOT)} links to {target}"


def test_the_site_has_a_page_for_each_project_and_what_it_shows_is_there():
    pages = tracked("docs/*.md")
    projects = [tomllib.loads((package / "pyproject.toml").read_text())["project"]["scripts"] for package in PACKAGES]
    assert {name for scripts in projects for name in scripts} <= {page.stem for page in pages}
    block = re.compile(r"^```\{(?:literal)?include\} (\S+)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
    for page in pages:
        for path, options in block.findall(page.read_text()):
            source = (page.parent / path).read_text()
            for option, value in re.findall(r'^:([a-z-]+): "?(.+?)"?$', options, flags=re.MULTILINE):
                if option == "pyobject":
                    last = value.rpartition(".")[2]
                    assert re.search(rf"^ *(?:class|def) {last}\b", source, flags=re.MULTILINE), f"{page}: {value}"
                if option in ("start-after", "start-at", "end-before"):
                    assert value in source, f"{page}: {value}"
        for module in re.findall(r"\{py:mod\}`([\w.]+)`", page.read_text()):
            assert (ROOT / "shared" / "src" / module.replace(".", "/")).with_suffix(".py").exists(), f"{page}: {module}"
