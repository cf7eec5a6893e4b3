"""Tables of text cells: every CSV file that a user gives is read here, and refused in the same words."""

import csv
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from dl_shared.errors import InputError

MAX_COLUMNS = 2000


def read_cells(path: Path, *, needed: str, **options: Any) -> pd.DataFrame:
    """A CSV file, every cell as the text that it is.

    Args:
        path: of the file, in UTF-8; compressed as its suffix says (.gz, .zip, ...).
        needed: what to give instead, for the messages.
        options: of `pandas.read_csv`.

    Raises:
        InputError: if it is missing, empty, in another encoding, or no such table.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of lines that end in a comma
            options = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", **options}
            # On repeated names of columns pandas spends the square of their number; a first row that is longer than the
            # header makes an index of as many levels.
            whole_lines: dict[str, Any] = {"header": None, "nrows": 2, "sep": "\x01", "quoting": csv.QUOTE_NONE}
            first = pd.read_csv(path, **whole_lines, **options).to_numpy().ravel()
            commas = max((cell.count(",") for cell in first if isinstance(cell, str)), default=0)
            table = pd.read_csv(path, **options) if commas < MAX_COLUMNS else None
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {needed}") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty; {needed}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # pandas' own, and those of each kind of compression where a file is damaged
        raise InputError(f"{path} is no CSV table: {error}; {needed}") from None
    if table is None:
        raise InputError(f"{path} has {commas + 1:,} columns in its first lines; {needed}")
    return table
