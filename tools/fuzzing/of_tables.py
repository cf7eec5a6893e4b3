"""Prices, headlines, houses, reviews, corpora and integer sequences."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dl_shared import testing
from dl_shared.data import reviews
from dl_shared.data.corpus import Vocabulary, read_corpus
from dl_shared.data.exogenous import join_exogenous, read_exogenous
from dl_shared.data.headlines import ScoredHeadlines, read_headlines
from dl_shared.data.houses import missing_counts, read_houses
from dl_shared.data.prices import load_prices
from dl_shared.data.reversal import drop_repeats, read_sequences
from dl_shared.sample.grammar import make_text
from dl_shared.sample.headlines import make_headlines
from dl_shared.sample.houses import make_houses
from dl_shared.sample.reviews import make_reviews
from fuzzing.damage import by_bytes
from fuzzing.formats import Format
from fuzzing.tables import by_cells, by_letters

DAYS = pd.date_range("2019-12-02", periods=300, freq="B")


def _prices(days: int, tickers: int = 1) -> Callable[[Path], Any]:
    return lambda folder: testing.write_prices(folder, tickers=tickers, days=days)


def _packed_prices(folder: Path) -> None:
    testing.write_prices(folder, tickers=1, days=40)
    (folder / "S00.csv.gz").write_bytes(gzip.compress((folder / "S00.csv").read_bytes(), mtime=0))
    (folder / "S00.csv").unlink()


def _named_prices(folder: Path) -> None:
    """One file of two companies, its dates as Kaggle has them."""
    testing.write_prices(folder, tickers=2, days=30)
    parts = []
    for file in sorted(folder.glob("*.csv")):
        part = pd.read_csv(file).assign(Name=file.stem)
        parts.append(part.assign(Date=pd.to_datetime(part["Date"]).dt.strftime("%d/%m/%Y")))
        file.unlink()
    pd.concat(parts).to_csv(folder / "all.csv", index=False)


def _read_prices(path: Path, seed: str) -> Any:
    prices = load_prices(path)
    return prices, prices.fingerprint


def _rates(folder: Path) -> None:
    days = DAYS[:40]
    table = pd.DataFrame({"Date": days.strftime("%Y-%m-%d"), "rate": np.linspace(1, 2, 40), "oil": np.arange(40) + 0.5})
    table.to_csv(folder / "rates.csv", index=False)


def _read_rates(path: Path, seed: str) -> Any:
    return join_exogenous(DAYS, read_exogenous(path))


def _headlines(folder: Path) -> None:
    make_headlines(seed=0, tickers=2, days=40).head(40).to_csv(folder / "news.csv", index=False)


def _read_headlines(path: Path, seed: str) -> Any:
    found = read_headlines(path)
    scored = ScoredHeadlines(found.table.assign(score=0.5), found.source, found.repairs)
    ticker = scored.table["ticker"].iloc[0]
    return scored.notes({ticker: pd.DataFrame(index=DAYS)}), scored.features(ticker, DAYS), scored.fingerprint


def _houses(rows: int) -> Callable[[Path], Any]:
    return lambda folder: make_houses(rows, seed=0).table.to_csv(folder / "train.csv", index=False, na_rep="NA")


def _read_houses(path: Path, seed: str) -> Any:
    houses = read_houses(path)
    return houses.features, houses.prices, houses.fingerprint, missing_counts(houses.features)


def _reviews(rows: int) -> Callable[[Path], Any]:
    def write(folder: Path) -> None:
        made = make_reviews(rows, 0)
        testing.write_reviews(folder / "IMDB.csv", made.texts, [reviews.CLASSES[label] for label in made.labels])

    return write


def _review_folders(folder: Path) -> None:
    made = make_reviews(44, 0)
    for row, (text, label) in enumerate(zip(made.texts, made.labels, strict=True)):
        file = folder / ("train", "test")[row % 2] / ("neg", "pos")[label] / f"{row}_1.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _review_parquet(folder: Path) -> None:
    made = make_reviews(60, 0)
    for name, rows in (("train", slice(0, 40)), ("test", slice(40, 60))):
        table = pa.table({"text": made.texts[rows], "label": pa.array(made.labels[rows], pa.int64())})
        pq.write_table(table, folder / f"{name}-00000-of-00001.parquet", row_group_size=25)


def _read_reviews(path: Path, seed: str) -> Any:
    source = reviews.read_reviews(path)
    return source, reviews.split_reviews(source, 0)


def _corpus(lines: int) -> Callable[[Path], Any]:
    return lambda folder: (folder / "play.txt").write_text("\n".join(make_text(lines, seed=0)))


def _read_corpus(path: Path, seed: str) -> Any:
    text = read_corpus(path)
    vocabulary = Vocabulary.of(text)
    vocabulary.decode(vocabulary.encode(text[-2000:]))
    return text


def _sequences(rows: int) -> Callable[[Path], Any]:
    lines = "".join(" ".join(map(str, range(row % 17 + 1))) + "\n" for row in range(rows))
    return lambda folder: (folder / "numbers.txt").write_text(lines)


def _read_sequences(path: Path, seed: str) -> Any:
    found = read_sequences(path)
    return found, drop_repeats(found)


FORMATS = [
    Format(
        name="prices",
        seeds={
            "one": _prices(40),
            "folder": _prices(15, 3),
            "named": _named_prices,
            "packed": _packed_prices,
            "large": _prices(20_000),
        },
        break_=by_cells,
        read=_read_prices,
    ),
    Format(name="exogenous", seeds={"rates": _rates}, break_=by_cells, read=_read_rates),
    Format(name="headlines", seeds={"news": _headlines}, break_=by_cells, read=_read_headlines),
    Format(
        name="houses",
        seeds={"ames": _houses(25), "large": _houses(3000)},
        break_=by_cells,
        read=_read_houses,
        share=0.6,
    ),
    Format(
        name="reviews-csv",
        seeds={"kaggle": _reviews(60), "large": _reviews(4000)},
        break_=by_cells,
        read=_read_reviews,
    ),
    Format(name="reviews-folders", seeds={"imdb": _review_folders}, break_=by_letters, read=_read_reviews),
    Format(
        name="reviews-parquet",
        seeds={"hub": _review_parquet},
        break_=lambda files, source: by_bytes(files, source.rng),
        read=_read_reviews,
    ),
    Format(
        name="corpus",
        seeds={"play": _corpus(60), "large": _corpus(60_000)},
        break_=by_letters,
        read=_read_corpus,
    ),
    Format(
        name="sequences",
        seeds={"numbers": _sequences(60), "large": _sequences(30_000)},
        break_=by_letters,
        read=_read_sequences,
    ),
]
