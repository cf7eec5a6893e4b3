"""The table of `nox -s leaks`: what the stock projects know of the future, and of a signal that is or is not there."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dl_shared.testing.records import read_records, write_table

MISSING = "not measured"


def summarise(project: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the table."""
    about: dict[str, list[Mapping[str, Any]]] = {}
    for values in found:
        about.setdefault(values["about"], []).append(values)
    future = about.get("future", [])
    compared, moved, later, later_moved = (
        sum(values[name] for values in future) for name in ("compared", "moved", "later", "later_moved")
    )
    planted, walks = about.get("planted signal", []), about.get("random walk", [])
    return {
        "project": project,
        "known before the change": compared if future else MISSING,
        "of these moved": moved if future else MISSING,
        "forecasts after it that moved": f"{100 * later_moved / later:.1f} %" if later else MISSING,
        "skill on a random walk": "; ".join(map(_skill, walks)) or MISSING,
        "skill where a signal is planted": "; ".join(map(_skill, planted)) or MISSING,
        "of the oracle's": "; ".join(f"{100 * one['share_of_oracle']:.1f} %" for one in planted) or MISSING,
    }


def _skill(values: Mapping[str, Any]) -> str:
    low, high = values["skill_ci"]
    return f"{values['skill']:.4f} ({low:.4f} to {high:.4f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table and print it; what must hold is for the tests to say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with a folder of records for each package; leaks.md goes there")
    folder = parser.parse_args(arguments).folder
    records = read_records(folder)
    rows = [summarise(project, found) for project, found in sorted(records.items())]
    if not rows:  # after the tests of what is shared alone
        return
    print(write_table(rows, folder / "leaks.md", records=records), end="")
    print(f"written to {folder / 'leaks.md'} and leaks.json")


if __name__ == "__main__":
    main()
