"""Whether the frameworks agree. `nox -s parity` calls it.

`weights`: the same weights give the same outputs, first loss and gradients in every framework that has the network.
`metrics`: the projects that have one task reach the same test metric by the same recipe.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import parity_metrics
import parity_weights
from environments import Environments
from parity_programs import Programs
from rich.console import Console

PARTS = {"weights": parity_weights.check, "metrics": parity_metrics.check}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if all agree, 1 if some do not, or could not be asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--nox", required=True, metavar="PYTHON", help="the one that has nox")
    parser.add_argument("--folder", type=Path, default=Path("parity"), help="of tables, runs and logs")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    folder = options.folder.absolute()
    programs = Programs(Environments(options.nox, folder / "logs"))
    agree = True
    for part in options.parts or PARTS:
        table, same = PARTS[part](programs, folder)
        table.write(folder)
        table.show(Console())
        agree = agree and same
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
