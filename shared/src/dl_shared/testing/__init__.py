"""For the tests of all packages: a console script from outside, and small data made on the spot."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dl_shared.data.reviews import CLASSES
from dl_shared.sample.prices import make_prices
from dl_shared.sample.reviews import make_reviews

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
"""The browser for tests of pages, or None."""

HEAVY = ("jax", "flax", "torch", "pytorch_lightning", "transformers", "datasets", "numpy", "pandas")


def refused(capsys: Any, main: Callable[[Sequence[str]], int], *arguments: object) -> str:
    """The one line with which a script, called with bad input, ends in status 2.

    Args:
        capsys: pytest's fixture.
        main: of the script.
        arguments: what is typed.
    """
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert "Traceback" not in captured.err
    return line


def answered(capsys: Any, main: Callable[[Sequence[str]], int], *arguments: object) -> dict[str, Any]:
    """The JSON object that a script answers with `--json`; arguments as those of `refused`."""
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def help_without_frameworks(module: str, *verbs: str) -> str:
    """The help of some verbs, from a process that is seen to import no framework for it.

    Args:
        module: with the script's `main`.
        verbs: of the script.
    """
    program = (
        f"import sys\nfrom {module} import main\n"
        f"for verb in {verbs!r}:\n"
        "    try:\n        main([verb, '--help'])\n    except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[]"
    return done.stdout


def write_few_images(folder: Path) -> Path:
    """220 training and 60 test images whose class is their brightness, in the hub's layout; returns the folder."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 220), ("test", 60)):
        labels = np.arange(n) % 10
        noise = rng.integers(0, 40, size=(n, 32, 32, 3))
        cells = []
        for image in (noise + 20 * labels[:, None, None, None]).astype(np.uint8):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            cells.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({"img": cells, "label": pa.array(labels, pa.int64())})
        pq.write_table(table, folder / f"{part}-00000-of-00001.parquet")
    return folder


def write_reviews(file: Path, texts: Sequence[str], labels: Sequence[str], encoding: str = "utf-8") -> Path:
    """A table of reviews in Kaggle's columns; returns its path."""
    with file.open("w", newline="", encoding=encoding) as opened:
        writer = csv.writer(opened)
        writer.writerow(["review", "sentiment"])
        writer.writerows(zip(texts, labels, strict=True))
    return file


def write_few_reviews(folder: Path) -> Path:
    """A table of 150 made-up reviews: 108 to train on, 12 for validation, 30 for testing; returns its path."""
    made = make_reviews(150, 0)
    return write_reviews(folder / "few.csv", made.texts, [CLASSES[label] for label in made.labels])


def write_prices(folder: Path, *, tickers: int = 3, days: int = 700, **planted: float) -> Path:
    """A CSV for each of the made-up companies S00, S01, ... in Yahoo's columns; returns the folder.

    Args:
        folder: made if it is not there.
        tickers: how many.
        days: of each.
        planted: options of `dl_shared.sample.prices.make_prices`.
    """
    folder.mkdir(exist_ok=True)
    for ticker, frame in make_prices(seed=0, tickers=tickers, days=days, **planted).prices.frames.items():
        frame.rename(columns={"adj_close": "Adj Close"}).to_csv(folder / f"{ticker}.csv", index_label="Date")
    return folder
