"""The table of `nox -s kills`: how each project was killed, and whether its runs ended as one never stopped."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dl_shared.testing.records import read_records, write_table

BEFORE = ("before the run", "before a checkpoint")


def summarise(project: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the table; a kill may be counted in several of its columns."""
    kills = [kill for run in runs for kill in run["kills"]]
    fell = [kill["fell"] for kill in kills]
    return {
        "project": project,
        "kills": len(kills),
        "before a checkpoint": sum(map(fell.count, BEFORE)),
        "in training": fell.count("in training"),
        "in test or report": fell.count("in the report"),
        "during a save": sum(kill["during_save"] for kill in kills),
        "of a resumed process": sum(kill["resuming"] for kill in kills),
        "runs compared": len(runs),
        "all equal": all(run["equal"] for run in runs),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if every run ended as it should, 1 if one did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with a folder of records for each package; kills.md goes there")
    folder = parser.parse_args(arguments).folder
    records = read_records(folder)
    rows = [summarise(project, runs) for project, runs in sorted(records.items())]
    whole = summarise("all", [run for runs in records.values() for run in runs])
    print(write_table([*rows, whole], folder / "kills.md", records=records), end="")
    print(f"written to {folder / 'kills.md'} and kills.json")
    return 0 if whole["all equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
