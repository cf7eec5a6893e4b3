"""What all console scripts have in common: verbs, presets, --json, one-line errors and exit statuses.

Exit status: 0 done; 2 the user's input is wrong; 1 a failure of ours (a traceback); 130 interrupted.
A project's `cli.py` names its verbs; the function behind a verb is imported only when it runs, so that
`--help` imports no framework.
"""

import contextlib
import dataclasses
import errno
import importlib
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from dl_shared.errors import InputError, LostWorkerError, one_line
from dl_shared.progress import say
from dl_shared.runs import find_run, read_config, read_summary

# What the operating system may refuse that the user, not we, can mend.
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_USERS_OWN = {*_FULL_DISK, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a verb that works on a run; a project adds its own fields."""

    run: str = "last"
    """A run directory, or `last` for the newest."""
    runs_dir: Path | None = None
    """Where `last` looks (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RunOptions):
    """Score a finished run on other data; kept under RUN/evaluations/."""

    data: str
    """`sample`, `hub` or a path."""


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One verb of a console script.

    Attributes:
        name: what the user types.
        help: one line.
        function: `package.module:function`, called with the options; what it returns is printed: a mapping
            (or a list of mappings, shown as rows).
        options: a frozen dataclass with a `json` field.
    """

    name: str
    help: str
    function: str
    options: Any

    def parser(self, project: str, arguments: Sequence[str]) -> Any:
        return self.options

    def run(self, project: str, options: Any) -> Any:
        if hasattr(options, "run"):
            run = find_run(options.run, options.runs_dir, project, "train")
            options = dataclasses.replace(options, run=str(run))
        return _load(self.function)(options)

    def show(self, result: Any) -> None:
        """Print for a person."""
        rows = result if isinstance(result, list) else [result]
        for row in rows:
            print("  ".join(f"{name} {_readable(value)}" for name, value in row.items()))

    def as_object(self, result: Any) -> dict[str, Any]:
        """What --json prints."""
        return {"rows": result} if isinstance(result, list) else result


@dataclass(frozen=True, kw_only=True)
class RecipeVerb(Verb):
    """A verb that trains: it takes the options of the configuration beside its own.

    Its function is called with the configuration and the verb's own options.

    Attributes:
        presets: configurations by name; the first is the default, and other flags change single options of it.
    """

    presets: Mapping[str, Any]

    def parser(self, project: str, arguments: Sequence[str]) -> Any:
        preset = _value_of("--preset", arguments) or next(iter(self.presets))
        if preset not in self.presets:
            raise InputError(f"--preset must be one of {', '.join(self.presets)}; got {preset!r}")
        default, flat = self.default(preset, project, arguments), tyro.conf.arg(name="")
        about = tyro.conf.arg(help="Sets the defaults of the options of the configuration.")
        return dataclasses.make_dataclass(
            "Recipe",
            [
                ("preset", Annotated[Literal[tuple(self.presets)], about], preset),
                ("options", Annotated[self.options, flat]),
                ("config", Annotated[type(default), flat], default),
            ],
            frozen=True,
            kw_only=True,
            namespace={"json": property(lambda recipe: recipe.options.json)},
        )

    def default(self, preset: str, project: str, arguments: Sequence[str]) -> Any:
        """The configuration that flags change."""
        return self.presets[preset]

    def run(self, project: str, recipe: Any) -> Any:
        return _load(self.function)(recipe.config, recipe.options)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Where the run is kept, or which run is continued."""

    resume: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """Continue this run (or `last`), with the options it has; those that say where to compute may be changed."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class TrainVerb(RecipeVerb):
    """The verb `train`, or another that makes runs.

    Its function takes `(config, *, runs_dir, resume)` and returns the run's path.
    """

    name: str = "train"
    help: str = "Train, test once, and write a report."
    options: Any = TrainOptions

    def default(self, preset: str, project: str, arguments: Sequence[str]) -> Any:
        """The preset, or what the run to be resumed was started with."""
        run, runs_dir = (_value_of(flag, arguments) for flag in ("--resume", "--runs-dir"))
        if run is None or arguments[0] != self.name:
            return self.presets[preset]
        found = find_run(run, Path(runs_dir) if runs_dir else None, project, self.name)
        return read_config(found, type(self.presets[preset]))

    def run(self, project: str, recipe: Any) -> Any:
        options = recipe.options
        resume = options.resume and find_run(options.resume, options.runs_dir, project, self.name)
        path = _load(self.function)(recipe.config, runs_dir=options.runs_dir, resume=resume)
        return {"path": path, "summary": read_summary(path)}

    def show(self, result: Any) -> None:
        _print_figures(result["summary"]["metrics"], result["summary"]["primary"]["name"])
        print(f"report   {result['path'] / 'report.html'}")

    def as_object(self, result: Any) -> dict[str, Any]:
        return result["summary"]["metrics"]


@dataclass(frozen=True, kw_only=True)
class EvaluateVerb(Verb):
    """The verb `evaluate`. Its function takes the options and returns metrics of the form in summary.json."""

    name: str = "evaluate"
    help: str = "Score a run on other data."
    options: Any = EvaluateOptions

    def run(self, project: str, options: Any) -> Any:
        metrics = super().run(project, options)
        summary = read_summary(find_run(options.run, options.runs_dir, project, "train"))
        return {"metrics": metrics, "primary": summary["primary"]["name"]}

    def show(self, result: Any) -> None:
        _print_figures(result["metrics"], result["primary"])

    def as_object(self, result: Any) -> dict[str, Any]:
        return result["metrics"]


def _print_figures(metrics: Mapping[str, Any], name: str) -> None:
    """Baseline, result and optimum, one below the other, and the share of the gap closed."""
    interval = metrics["test"].get(f"{name}_ci")
    for label, scores in (("baseline", "baseline"), ("result", "test"), ("optimum", "optimum")):
        value = (metrics[scores] or {}).get(name)
        if value is not None:
            shown = f"  (95 % interval {interval[0]:.4f} to {interval[1]:.4f})" if scores == "test" and interval else ""
            print(f"{label:9}{name} {value:.4f}{shown}")
    if metrics["gap_closed"] is not None:
        print(f"gap closed {100 * metrics['gap_closed']:.1f} %")


def console_script(
    project: str, description: str, *verbs: Verb, default: str | None = None
) -> Callable[[Sequence[str] | None], int]:
    """The entry point of a console script: `main = console_script("flax-cifar10", "...", TrainVerb(...), ...)`.

    Args:
        project: its name.
        description: a line for `--help`.
        verbs: in the order of `--help`.
        default: the name of the verb whose options those without a verb are.
    """

    def main(arguments: Sequence[str] | None = None) -> int:
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        try:
            verb, options = _parse(project, description, verbs, default, arguments)
            with _stdout_on_stderr() if options.json else contextlib.nullcontext():
                result = verb.run(project, options)
            if options.json:
                print(json.dumps(verb.as_object(result), default=str))
            else:
                verb.show(result)
        except InputError as error:
            return _refuse(error, str(error))
        except LostWorkerError as error:
            _refuse(error, str(error))
            return 1
        except KeyboardInterrupt as error:
            say("; ".join(["interrupted", *_notes(error)]))
            return 130
        except BrokenPipeError:  # the reader of our output has left: `... | head`
            sys.stderr.close()
            return 0
        except Exception as error:
            refusal = _refusal_of_the_system(error)
            if refusal is None:
                raise
            return _refuse(error, f"{refusal}; free some space or choose another folder")
        return 0

    return main


@contextlib.contextmanager
def _stdout_on_stderr() -> Iterator[None]:
    """Within, stdout is stderr, for Python and for libraries in C++, which know no `sys.stdout`."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _parse(
    project: str, description: str, verbs: Sequence[Verb], default: str | None, arguments: Sequence[str]
) -> tuple[Verb, Any]:
    if default and (not arguments or arguments[0].startswith("-")) and arguments[:1] not in (["-h"], ["--help"]):
        arguments = [default, *arguments]
    chosen = next((verb for verb in verbs if arguments and arguments[0] == verb.name), None)
    parsers = {
        verb.name: Annotated[verb.parser(project, arguments), tyro.conf.subcommand(verb.name, description=verb.help)]
        for verb in ([chosen] if chosen else verbs)  # the presets of another verb may be others
    }
    try:
        if chosen is None:  # --help, or a mistake: let the parser of all verbs answer
            union: Any = tuple(parsers.values())
            usual = next((verb.options() for verb in verbs if verb.name == default), tyro.MISSING)
            _tyro(project, description, _union(union), arguments, usual)
            raise InputError(f"give one of the verbs: {', '.join(parsers)}")
        options = _tyro(f"{project} {chosen.name}", chosen.help, parsers[chosen.name], arguments[1:])
        _check_numbers(options)
        return chosen, options
    except ValueError as error:
        raise InputError(str(error)) from None


def _check_numbers(options: Any) -> None:
    """Refuse `nan` and `inf`, which no option of ours means."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            _check_numbers(value)
        elif any(
            isinstance(one, float) and not math.isfinite(one)
            for one in (value if isinstance(value, tuple) else [value])
        ):
            raise InputError(f"--{field.name.replace('_', '-')} must be a finite number, got {value}")


def _union(types: tuple[Any, ...]) -> Any:
    """The union of types known only at run time; tyro wants two at least."""
    union = types[0]
    for other in types[1:]:
        union = union | other
    return union


def _tyro(prog: str, description: str, parser: Any, arguments: Sequence[str], default: Any = tyro.MISSING) -> Any:
    """Parse with tyro; its boxed error message becomes one line."""
    boxed = io.StringIO()
    try:
        with contextlib.redirect_stderr(boxed):
            return tyro.cli(parser, prog=prog, description=description, args=arguments, default=default)
    except SystemExit as exit_:
        if not exit_.code:
            raise
        lines = [line.strip("│ ") for line in boxed.getvalue().splitlines() if line.startswith("│")]
        message = " ".join(line for line in lines if line.strip("─")) or boxed.getvalue().strip()
        raise InputError(message.partition(" Argument helptext")[0]) from None


def _value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """The value of a flag that is needed before parsing, because it sets the defaults of other options."""
    for position, argument in enumerate(arguments):
        if argument.startswith(f"{flag}="):
            return argument.partition("=")[2]
        if argument == flag and position + 1 < len(arguments):
            return arguments[position + 1]
    return None


def _load(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _readable(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list | tuple) and value and all(isinstance(item, float) for item in value):
        return "[" + ", ".join(f"{item:.4f}" for item in value) + "]"
    return str(value)


def _refusal_of_the_system(error: Exception) -> str | None:
    """What the operating system refused, where the user can mend it; None for any other error."""
    if isinstance(error, OSError) and error.errno in _USERS_OWN:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    # Libraries written in Rust and C++ (safetensors, Orbax) wrap a full disk in errors of their own.
    return next((text for text in map(os.strerror, _FULL_DISK) if text in str(error)), None)


def _refuse(error: Exception, message: str) -> int:
    say("; ".join([f"error: {one_line(message)}", *_notes(error)]))
    return 2


def _notes(error: BaseException) -> list[str]:
    """What was added to an error on its way: the command that resumes the run. Tracebacks show it by themselves."""
    return getattr(error, "__notes__", [])
