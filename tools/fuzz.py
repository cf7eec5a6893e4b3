"""Broken input for every loader and console script. `nox -s fuzz` calls it, in the environment of each package.

What dl-shared reads, and all options, are given 100,000 inputs, unless told otherwise; what only a package reads with
its framework, such as checkpoints in the framework's own format, is given 3,000.

Each input is a sound one made wrong: by bits, bytes and blocks, by the cells of a table, by the values of a JSON
document, by odd arguments. It must be accepted, or refused by one line (`InputError`; of a script: status 2). A finding
is anything else: a traceback, a minute without an end, the end of the process, memory beyond twice the size of the
decoded input and 64 MiB, a message that is no line.

An input follows from its format and its number alone; of checkpoints, from the run too that was made for them. What is
found lies in fuzz/PACKAGE/findings, each with its input and the command that makes and reads it again;
fuzz/PACKAGE/table.md and table.json say how it went.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fuzzing.formats import MODULES, Format, formats_of
from fuzzing.report import Row, as_markdown, keep, total
from fuzzing.runner import PATIENCE, Task, run_all, tasks_of
from fuzzing.worker import Outcome

from dl_shared.files import write_json, write_text
from dl_shared.progress import progress

INPUTS, INPUTS_OF_A_FRAMEWORK = 100_000, 3_000


def main(
    arguments: Sequence[str] | None = None, modules: Sequence[str] | None = None, patience: float = PATIENCE
) -> int:
    """Exit status 0 if nothing was found, 1 if something was."""
    options = _parse(arguments)
    modules = modules or MODULES[options.package]
    formats = formats_of(modules)
    if options.only:
        if options.only not in formats:
            sys.exit(f"there is no format {options.only!r}; there are {', '.join(formats)}")
        formats = {options.only: formats[options.only]}
    options.folder.mkdir(parents=True, exist_ok=True)
    seeds = options.folder.absolute() / "seeds"
    if options.number is None:
        shutil.rmtree(seeds, ignore_errors=True)
    os.environ["DL_FUZZ_SEEDS"] = str(seeds)  # of formats whose sound input takes long to make
    where = {"log": options.folder / "output.log", "modules": modules, "patience": patience}
    if options.number is not None:
        return _again(formats[options.only], options.number, where)

    rows = {name: Row(name) for name in formats}
    amount = options.seconds or options.inputs
    start = time.monotonic()
    with progress(amount, "fuzz", unit="s" if options.seconds else "inputs") as bar:
        shown = 0

        def tell(name: str, outcome: Outcome) -> None:
            nonlocal shown
            row = rows[name]
            row.add(outcome)
            count = row.findings[outcome.ended, outcome.place]
            if count and (kept := keep(options.folder / "findings", options.package, formats[name], outcome, count)):
                print(f"{name}: {outcome.ended} {outcome.place} ({kept})", file=sys.stderr)
            now = int(time.monotonic() - start) if options.seconds else shown + 1
            bar.advance(min(now, amount) - shown)
            shown = min(now, amount)

        shares = {name: format_.share for name, format_ in formats.items()}
        tasks = tasks_of(shares, options.inputs if not options.seconds else 10**9)
        deadline = start + options.seconds if options.seconds else None
        run_all(_until(deadline, tasks), tell, jobs=options.jobs, **where)
    return _conclude([*rows.values(), total(rows)], options.folder, time.monotonic() - start)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=int, help="go on for so long, instead of a number of inputs")
    parser.add_argument(
        "--package", choices=MODULES, default="shared", help="which is installed (default: %(default)s)"
    )
    parser.add_argument(
        "--inputs", type=int, help=f"how many in all (default: {INPUTS}; of a framework {INPUTS_OF_A_FRAMEWORK})"
    )
    parser.add_argument("--only", metavar="FORMAT", help="no other format")
    parser.add_argument("--number", type=int, help="with --only: this input alone, and all that is said of it")
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="of findings and tables (default: fuzz/PACKAGE)")
    options = parser.parse_args(arguments)
    options.folder = options.folder or Path("fuzz", options.package)
    options.inputs = options.inputs or (INPUTS if options.package == "shared" else INPUTS_OF_A_FRAMEWORK)
    if options.number is not None and not options.only:
        parser.error("--number goes with --only")
    return options


def _until(deadline: float | None, tasks: Iterator[Task]) -> Iterator[Task]:
    for task in tasks:
        if deadline is not None and time.monotonic() > deadline:
            return
        yield task


def _again(format_: Format, number: int, where: dict) -> int:
    """One input once more, told in full."""
    row = Row(format_.name)

    def tell(name: str, outcome: Outcome) -> None:
        row.add(outcome)
        print(f"{name} {number}: {outcome.ended} {outcome.place}\n{outcome.details}")
        print(f"{1000 * outcome.seconds:.1f} ms, {outcome.extra:,} bytes of memory, {outcome.decoded:,} decoded")

    run_all(iter([(format_.name, number, number + 1)]), tell, jobs=1, **where)
    return int(bool(row.findings))


def _conclude(rows: list[Row], folder: Path, seconds: float) -> int:
    table = as_markdown(rows)
    print(f"{table}\n{rows[-1].ended.total():,} inputs in {seconds:,.0f} s; findings: {len(rows[-1].findings)}")
    write_text(folder / "table.md", table)
    write_json(folder / "table.json", {"seconds": round(seconds, 1), "rows": [row.as_json() for row in rows]})
    return int(bool(rows[-1].findings))


if __name__ == "__main__":
    sys.exit(main())
