"""People and CI run: `demo`, `tests`, `lint`, `types`, `kills`, `leaks`, `fuzz`, `parity`, `bench`, `docs`, `build`.

Each package gets an environment of its own, with dl-shared and its one framework in it: frameworks change each other's
behaviour by being importable. `nox -s "tests(flax)"` runs one package, `nox -s demo -- dl-seq2seq` one project.
"""

import os
import shutil
import sys
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

if "PIP_FIND_LINKS" in os.environ:  # uv reads none of pip's settings, and would miss the wheels that pip is told of
    os.environ.setdefault("UV_FIND_LINKS", os.environ["PIP_FIND_LINKS"])
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")  # or each import compiles anew where Python may write no bytecode

FOLDERS = {
    "shared": "shared",
    "architectures": "packages/dl-architectures",
    "flax": "packages/flax-projects",
    "lightning": "packages/lightning-projects",
    "accelerate": "packages/accelerate-projects",
    "xla": "packages/xla-projects",
}
FRAMEWORKS = [name for name in FOLDERS if name != "shared"]
STOCKS = [name for name in FOLDERS if name != "architectures"]  # those with a stock project, and what they share
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def install(session: nox.Session, package: str, *extra: str, **options: object) -> None:
    """Install a package and dl-shared from this checkout, at the tested versions; options are of `session.install`."""
    folder = FOLDERS[package]
    local = ["-e", "./shared[test]"] + (["-e", f"./{folder}[test]"] if package != "shared" else [])
    session.install(*local, *extra, "-c", f"{folder}/constraints.txt", **options)


def projects(package: str) -> list[str]:
    """The console scripts of a package."""
    return list(tomllib.loads(Path(FOLDERS[package], "pyproject.toml").read_text())["project"]["scripts"])


def find_browser(session: nox.Session) -> None:
    """Install Chromium, which the tool's page needs, where that is possible; without it the page is left out."""
    if not any(map(shutil.which, BROWSERS)) and shutil.which("apt-get") and os.geteuid() == 0:
        install = "apt-get -q update && apt-get -q install --yes --no-install-recommends chromium"
        options = {"external": True, "success_codes": range(256), "env": {"DEBIAN_FRONTEND": "noninteractive"}}
        session.run("timeout", "600", "sh", "-c", install, **options)
    if not any(map(shutil.which, BROWSERS)):
        session.warn("NO BROWSER: what needs Chromium will be left out (Debian: apt-get install chromium)")


@nox.session
def demo(session: nox.Session) -> None:
    """All projects on sample data, then a page that compares them. `-- flax` or `-- dl-seq2seq`: a part of it."""
    names = [name for package in FRAMEWORKS for name in (package, *projects(package))]
    asked = set(session.posargs or names)
    if unknown := asked.difference(names):
        session.error(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")
    chosen = [f"{package}/{name}" for package in FRAMEWORKS for name in projects(package) if {package, name} & asked]
    install(session, "shared")
    if "architectures/dl-nlp-tool" in chosen:
        find_browser(session)
    session.run("python", "tools/demo.py", "--nox", sys.executable, *chosen)


@nox.session(default=False)
@nox.parametrize("package", FRAMEWORKS, ids=FRAMEWORKS)
def environment(session: nox.Session, package: str) -> None:
    """The environment of a package, for demo, parity and bench; `-- FILE` writes the folder of its scripts there."""
    install(session, package)
    for answer in session.posargs:
        Path(answer).write_text(session.bin)


@nox.session
@nox.parametrize("package", [*FOLDERS, "repo"], ids=[*FOLDERS, "repo"])
def tests(session: nox.Session, package: str) -> None:
    """The tests of a package; `tests(repo)` builds all wheels and installs each alone into an empty environment."""
    if package == "repo":
        # Console scripts parse their options, which the commands of the READMEs are checked for, without a framework.
        session.install("pytest", "pytest-xdist", "uv", "rich", "tyro", "-c", "shared/constraints.txt")
        session.run("pytest", "tests", *session.posargs)
        return
    install(session, package)
    if package == "architectures":
        find_browser(session)
    # Two workers of one thread each: most tests are too small to share between threads. What is skipped is listed.
    options = ["-n", "2", "-r", "s", *session.posargs]
    session.run("pytest", f"{FOLDERS[package]}/tests", *options, env={"OMP_NUM_THREADS": "1"})


def measure(session: nox.Session, name: str, package: str, *chosen: str, **variables: str) -> None:
    """Run tests that keep records, and make one table of those of all packages so far: `<name>/<name>.md`."""
    install(session, package)
    records = Path(name, package)
    shutil.rmtree(records, ignore_errors=True)
    options = ["-n", "2", "--dist", "worksteal", *chosen, *session.posargs]
    environment = {"DL_RECORDS": str(records.absolute()), "OMP_NUM_THREADS": "1", **variables}
    try:
        session.run("pytest", f"{FOLDERS[package]}/tests", *options, env=environment)
    finally:
        session.run("python", f"tools/{name}.py", name)


@nox.session(default=False)
@nox.parametrize("package", FRAMEWORKS, ids=FRAMEWORKS)
def kills(session: nox.Session, package: str) -> None:
    """Each project killed at 25 random moments and resumed: its runs end as one that was never stopped."""
    measure(session, "kills", package, "-k", "killed_at_random_moments", DL_KILLS="25")


@nox.session(default=False)
@nox.parametrize("package", STOCKS, ids=STOCKS)
def leaks(session: nox.Session, package: str) -> None:
    """The stock projects see nothing of the future, find a planted signal, and none in a random walk."""
    measure(session, "leaks", package, "-m", "leak")


@nox.session(default=False)
def parity(session: nox.Session) -> None:
    """The frameworks agree: on what the same weights give (`-- weights`), and the same recipes (`-- metrics`)."""
    install(session, "shared")
    session.run("python", "tools/parity.py", "--nox", sys.executable, *session.posargs)


@nox.session(default=False)
@nox.parametrize("package", list(FOLDERS), ids=list(FOLDERS))
def fuzz(session: nox.Session, package: str) -> None:
    """Broken input for every loader and console script. `-- 600`: ten minutes of it; `-- --inputs 5000`: so many."""
    install(session, package)
    environment = {"OMP_NUM_THREADS": "1"}  # there is a process for each core
    session.run("python", "tools/fuzz.py", "--package", package, *session.posargs, env=environment)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting, by ruff."""
    session.install("ruff==0.17.5")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
@nox.parametrize("package", list(FOLDERS), ids=list(FOLDERS))
def types(session: nox.Session, package: str) -> None:
    """Types, by mypy, with the package's framework there to be checked against; `types(shared)`: of the tools too."""
    install(session, package, "mypy==2.4.1", env={"UV_COMPILE_BYTECODE": "0"})  # what is read only is not compiled
    session.run("mypy", f"{FOLDERS[package]}/src")
    if package == "shared":
        session.run("mypy", "--explicit-package-bases", "tools", env={"MYPYPATH": "tools"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Our loops beside the textbook's and the machine's peak, in one table. `-- flax --quick --compare OLD.json`."""
    install(session, "shared")
    session.run("python", "tools/bench.py", "--nox", sys.executable, *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The site, into site/: a page for each project, the API of dl-shared. What leads nowhere is an error."""
    install(session, "shared")
    session.install("sphinx", "furo", "myst-parser", "-c", "docs/constraints.txt")
    session.run("sphinx-build", "--fresh-env", "--fail-on-warning", "--keep-going", "docs", "site")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Wheels of all packages, into dist/."""
    session.install("uv")
    for folder in FOLDERS.values():
        session.run("uv", "build", "--wheel", "--out-dir", "dist", folder)
