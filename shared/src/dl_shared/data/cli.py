"""`dl-data`: what lies at a path, which data sets there are, and fetching one. Loaders are imported when they run."""

from dataclasses import dataclass
from typing import Any, Literal

import tyro

from dl_shared.cli import Verb, console_script

Kind = Literal["guess", "cifar10", "mnist", "fashion_mnist", "imdb", "shakespeare", "stocks", "houses", "reversal"]
Name = Literal["cifar10", "mnist", "fashion_mnist", "imdb", "shakespeare", "stocks", "houses"]
SHOWN = 12  # items of a list


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """Read everything at a path with the loader of its kind, and say what it is."""

    path: tyro.conf.Positional[str]
    """A file or folder."""
    kind: Kind = "guess"
    """Which loader reads it; by default the one that fits what lies there."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """The data sets we know, where they come from and on what terms."""

    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """Fetch a data set into the cache, or take up a download that broke off."""

    name: tyro.conf.Positional[Name]
    """One of the names that `dl-data list` gives."""
    tickers: tuple[str, ...] = ()
    """Of stocks: symbols as Yahoo writes them (default: six large companies)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


class _Verb(Verb):
    """Shows one field a line, and the first items of a list below its name."""

    def show(self, result: Any) -> None:
        for number, row in enumerate(result if isinstance(result, list) else [result]):
            if number:
                print()
            for name, value in row.items():
                if isinstance(value, list):
                    more = [f"and {len(value) - SHOWN:,} more (see --json)"] if len(value) > SHOWN else []
                    print(f"{name}:", *(f"  - {item}" for item in [*value[:SHOWN], *more] or ["none"]), sep="\n")
                else:
                    print(f"{name}: {f'{value:,}' if isinstance(value, int) else value}")


main = console_script(
    "dl-data",
    "Check, list and fetch data sets.",
    _Verb(
        name="check",
        help="Say what lies at a path.",
        function="dl_shared.data.catalogue:check",
        options=CheckOptions,
    ),
    _Verb(
        name="list",
        help="Name the data sets we know.",
        function="dl_shared.data.catalogue:list_known",
        options=ListOptions,
    ),
    _Verb(
        name="download",
        help="Fetch a data set into the cache.",
        function="dl_shared.data.catalogue:fetch_named",
        options=DownloadOptions,
    ),
)
