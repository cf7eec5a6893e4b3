"""`dl-report RUN...`: a run as a page, or many runs as a comparison page; `dl-report compare` always compares."""

import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from dl_shared.cli import Verb, console_script
from dl_shared.errors import InputError
from dl_shared.paths import user_path
from dl_shared.progress import say
from dl_shared.runs import find_run, read_summary


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What to report on, and where to."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run directories, folders of them, or `last` for the newest run."""
    output: Path | None = None
    """The page to write (default: report.html in the run; for many, comparison.html in the folder given, or here)."""
    runs_dir: Path | None = None
    """Where `last` looks (default: $DL_RUNS_DIR, else ./runs)."""
    open: bool = False
    """Show the page in the browser."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions(ReportOptions):
    """What to compare, and where to."""

    markdown: Path | None = None
    """Write the tables to this file as well, as Markdown for a README."""
    pictures: Path | None = None
    """Show the PNG files of this folder too, under its name, each with the `Description` in it as its caption."""


class _Page(Verb):
    def show(self, result: Any) -> None:
        print(result["page"])


def report(options: ReportOptions) -> dict[str, Any]:
    """Write the page that `options` ask for: of the run that is named, or a comparison.

    Raises:
        InputError: if nothing named is a run, or a run that is named cannot be read.
    """
    runs = _find_runs(options)
    named_itself = len(options.runs) == 1 and (options.runs[0] == "last" or runs[0].samefile(options.runs[0]))
    page = _one_page(runs[0], options.output) if named_itself else _comparison_page(runs, options)
    return _answer(page, runs, options)


def compare(options: CompareOptions) -> dict[str, Any]:
    """Write the comparison page of the runs named.

    Raises:
        InputError: if nothing named is a run, or a run that is named cannot be read.
    """
    runs = _find_runs(options)
    return _answer(_comparison_page(runs, options, options.markdown, options.pictures), runs, options)


def _find_runs(options: ReportOptions) -> list[Path]:
    runs = list(dict.fromkeys(run for name in options.runs for run in _runs_at(name, options.runs_dir)))
    for name in ("output", "markdown"):
        path = getattr(options, name, None)
        if path is not None and path.is_dir():
            raise InputError(f"{path} is a folder; --{name} takes the name of the file to write")
    if not runs:
        raise InputError("name at least one run, a folder of runs, or `last`")
    return runs


def _answer(page: Path, runs: list[Path], options: ReportOptions) -> dict[str, Any]:
    if options.open:
        webbrowser.open(page.as_uri())
    return {"page": str(page), "runs": [_line(run) for run in runs]}


def _one_page(run: Path, output: Path | None) -> Path:
    from dl_shared.report import write_page

    return write_page(run, output)


def _comparison_page(
    runs: list[Path], options: ReportOptions, markdown: Path | None = None, pictures: Path | None = None
) -> Path:
    from dl_shared.report import write_comparison, write_page

    for run in runs:
        if not (run / "report.html").exists():  # the comparison links to it
            write_page(run)
    given = Path(options.runs[0])
    folder = given if len(options.runs) == 1 and given.is_dir() and given.absolute() not in runs else Path()
    return write_comparison(runs, options.output or folder / "comparison.html", markdown, pictures)


def _runs_at(name: str, runs_dir: Path | None) -> list[Path]:
    """The runs that one argument means: itself, or all under it."""
    if name == "last":
        return [find_run(name, runs_dir)]
    path = user_path(name).absolute()
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not path.is_dir():
        raise InputError(f"{path} is not a run directory")
    if (path / "summary.json").exists() or (path / "config.json").exists():
        return [path]
    found = []
    for summary in sorted([*path.glob("*/summary.json"), *path.glob("*/*/summary.json")]):
        try:
            read_summary(summary.parent)
        except InputError as error:
            say(f"left out: {error}")
            continue
        found.append(summary.parent)
    if not found:
        raise InputError(f"{path} holds no run that can be read")
    return found


def _line(run: Path) -> dict[str, Any]:
    summary = read_summary(run)
    return {"run": str(run), **{name: summary.get(name) for name in ("project", "task", "status", "metrics")}}


_VERBS = (
    _Page(name="", help="Write a page.", function="dl_shared.report.cli:report", options=ReportOptions),
    _Page(name="compare", help="Compare runs.", function="dl_shared.report.cli:compare", options=CompareOptions),
)
_main = console_script("dl-report", "A run as one HTML page, or many runs as a comparison page.", *_VERBS)


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point: `compare`, or a verb that needs no name."""
    arguments = sys.argv[1:] if arguments is None else arguments
    return _main(list(arguments) if arguments[:1] == ["compare"] else ["", *arguments])
