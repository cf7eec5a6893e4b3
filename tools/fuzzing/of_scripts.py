"""Console scripts as functions: `dl-data` and `dl-report` with broken input, and all of them with odd arguments."""

import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from hypothesis import strategies as st

import dl_shared.cli
import dl_shared.data.cli
import dl_shared.report.cli
from dl_shared.errors import InputError
from fuzzing import of_pictures, of_runs, of_tables
from fuzzing.damage import Files
from fuzzing.formats import Format, write_files
from fuzzing.packages import main_of, presets, scripts
from fuzzing.source import BLOCK, Source
from fuzzing.tables import CELLS

BEYOND = 1_000_000  # numbers of inputs that the loaders themselves are not given
KINDS = get_args(dl_shared.data.cli.Kind)
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ("last", "~", "~nobody-of-that-name/x", "-", "--", "---x", "=", "x" * 300, "\udcff.csv", ".", "known", "$HOME")
)
KNOWN = st.sampled_from(("known", "known/prices.csv", "known/prices.csv/x", "known/run", "known/run/config.json"))
FLAGS = st.sampled_from(
    ("--json", "--no-json", "--help", "--kind", "--tickers", "--output", "--markdown", "--runs-dir")
)


class UnfitEndError(Exception):
    """A script ended in a way that no user should see."""


def run_script(main: Callable[[Sequence[str]], int], arguments: Sequence[str], *, works: bool = False) -> str:
    """What the script printed on stdout.

    Args:
        main: of the script.
        arguments: that are typed after its name.
        works: whether it may tell how far it is before it ends.

    Raises:
        InputError: if it ended with status 2 and one line on stderr.
        UnfitEndError: if it ended in any other way but well.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors) for errors in ("strict", "replace"))
    status: str | int
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(list(arguments))
        except SystemExit as end:  # of --help
            status = end.code or 0
        out.flush()
        err.flush()
    said, told = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err))  # type: ignore[attr-defined]
    if status == 2:
        last = told.splitlines()[-1] + "\n" if works and told else told
        if said or last.count("\n") != 1 or not last.startswith("error: ") or "Traceback" in told:
            raise UnfitEndError(f"status 2 with {said[:500]!r} on stdout and {told[:2000]!r} on stderr")
        raise InputError(last.rstrip())
    if status != 0:
        raise UnfitEndError(f"status {status} with {told[:2000]!r} on stderr")
    return said


@dataclass(frozen=True, kw_only=True)
class Composite(Format):
    """The inputs of other formats, given to a script; the name of the seed is what is typed after the path."""

    parts: Sequence[Format]
    flags: Sequence[str]

    def make(self, number: int) -> tuple[str, Files]:
        rng = Source(self.name, number).rng
        part = self.parts[number // BLOCK % len(self.parts)]
        return rng.choice(self.flags), part.make(BEYOND + number)[1]


def _composite(
    name: str, main: Callable, verb: Sequence[str], parts: Sequence[str], flags: Sequence[str], share: float
) -> Format:
    every = {part.name: part for part in (*of_tables.FORMATS, *of_pictures.FORMATS, *of_runs.FORMATS)}
    chosen = [every[part] for part in parts]
    return Composite(
        name=name,
        seeds={part.name: next(iter(part.seeds.values())) for part in chosen},
        break_=lambda files, source: files,
        read=lambda path, typed: run_script(main, [*verb, str(path), *(typed.split() if typed in flags else ())]),
        share=share,
        parts=chosen,
        flags=flags,
    )


def _arguments(name: str, strategy: st.SearchStrategy, read: Callable[[list[str]], Any], share: float) -> Format:
    """Lists of arguments; the file of the input holds one as JSON."""
    return Format(
        name=name,
        seeds={"none": lambda folder: (folder / "arguments.json").write_text('["--help"]')},
        break_=lambda files, source: {"arguments.json": json.dumps(source.draw(strategy)).encode()},
        read=lambda path, seed: read(json.loads(path.read_text())),
        share=share,
    )


@lru_cache(maxsize=1)
def _known_files() -> Files:
    files = {f"run/{name}": raw for name, raw in _seed("run", "finished").items()}
    return files | {"prices.csv": next(iter(_seed("prices", "one").values()))}


def _seed(name: str, seed: str) -> Files:
    return next(part for part in (*of_tables.FORMATS, *of_runs.FORMATS) if part.name == name).seed(seed)


def _with_known_files(main: Callable[[Sequence[str]], int]) -> Callable[[list[str]], str]:
    def read(arguments: list[str]) -> str:
        shutil.rmtree("known", ignore_errors=True)
        write_files(_known_files(), Path("known"))
        return run_script(main, arguments)

    return read


def _parse(arguments: list[str]) -> str:
    """Only as far as a script's own options: what they ask for is not done."""
    script, *typed = arguments if arguments[0] in scripts() else [next(iter(scripts())), *arguments]
    load = dl_shared.cli._load
    dl_shared.cli._load = lambda function: _stop
    try:
        return run_script(main_of(script), typed)
    except _ParsedError:
        return "parsed"
    finally:
        dl_shared.cli._load = load


class _ParsedError(Exception):
    """Raised in place of the work."""


def _stop(*options: Any, **more: Any) -> None:
    for option in options:
        _refuse_what_is_no_number(option)
    raise _ParsedError


def _refuse_what_is_no_number(options: Any) -> None:
    """A training with a learning rate of NaN would begin, and fail only much later."""
    for name, value in vars(options).items() if dataclasses.is_dataclass(options) else ():
        if isinstance(value, float) and value != value:
            raise UnfitEndError(f"--{name.replace('_', '-')} nan was taken")


@st.composite
def _script_arguments(draw: st.DrawFn) -> list[str]:
    script = draw(st.sampled_from(sorted(scripts())))
    verb = draw(
        st.sampled_from(("train", "train", "train", "evaluate", "predict", "compare", "tune", "backtest", "forecast"))
        | NAMES
    )
    preset = next(iter(presets()[script].values())) if script in presets() else None
    names = [field.name.replace("_", "-") for field in dataclasses.fields(preset)] if preset else ["model"]
    flag = st.sampled_from([*names, "preset", "resume", "run", "runs-dir", "json", "trials", "help"])
    value = CELLS | NAMES | st.sampled_from(("nan", "inf", "1e-3", "0.1", "7", "auto", "sample", "quick", "full"))
    pair = st.tuples(flag, value).map(lambda pair: [f"--{pair[0]}", pair[1]])
    joined = st.tuples(flag, value).map(lambda pair: [f"--{pair[0]}={pair[1]}"])
    words = draw(st.lists(pair | joined | NAMES.map(lambda name: [name]), max_size=4))
    return [script, verb, *(word.replace("\0", "") for pair in words for word in pair)]


DATA_ARGUMENTS = st.tuples(
    st.sampled_from(("check", "check", "check", "list", "download")) | NAMES,
    st.lists(NAMES | KNOWN | FLAGS | st.sampled_from(KINDS), max_size=5),
).map(lambda parts: [parts[0], *parts[1]])
REPORT_ARGUMENTS = st.lists(KNOWN | KNOWN | NAMES | FLAGS | st.just("compare"), max_size=5)

FORMATS = [
    _composite(
        "dl-data check",
        dl_shared.data.cli.main,
        ["check"],
        [
            *("prices", "houses", "reviews-csv", "reviews-folders", "corpus", "sequences", "images-parquet"),
            *("images-binary", "images-python", "images-archive", "images-idx", "images-folders", "images-kaggle"),
        ],
        [*[""] * 6, *["--json"] * 6, *(f"--kind {kind}" for kind in KINDS)],
        0.3,
    ),
    _composite(
        "dl-report",
        dl_shared.report.cli.main,
        [],
        ["run-page"],
        ["--output page.html", "--output page.html --json"],
        0.05,
    ),
    _arguments("dl-data arguments", DATA_ARGUMENTS, _with_known_files(dl_shared.data.cli.main), 0.2),
    _arguments("dl-report arguments", REPORT_ARGUMENTS, _with_known_files(dl_shared.report.cli.main), 0.05),
    _arguments("options of scripts", _script_arguments(), _parse, 0.08),
]
