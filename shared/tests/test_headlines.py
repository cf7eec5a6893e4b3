"""Headlines: what is read, on which day each is known, and that none moves an earlier day."""

import numpy as np
import pandas as pd
import pytest

from dl_shared.data.headlines import NEWS_COLUMNS, ScoredHeadlines, known_at_close, read_headlines
from dl_shared.errors import InputError
from dl_shared.sample.headlines import make_headlines, make_tones
from dl_shared.sample.prices import DECAY, make_prices
from dl_shared.tasks import stocks

HEADER = ",title,date,stock\n"


def by_length(titles):
    """A scorer that needs no lexicon."""
    return np.array([len(title) % 7 / 7 for title in titles])


def by_word(titles):
    """What the sample's headlines say."""
    good, bad = ("beats", "upgrade", "wins", "surges"), ("misses", "downgrade", "loses", "plunges")
    return np.array([sum(w in t for w in good) - sum(w in t for w in bad) for t in titles], float)


@pytest.mark.parametrize(
    ("date", "known"),
    [
        ("2020-06-05 15:59:00-04:00", "2020-06-05"),
        ("2020-06-05 16:00:00-04:00", "2020-06-06"),  # at the close is not before it
        ("2020-06-05T14:30:00Z", "2020-06-05"),
        ("2020-06-05T23:30:00Z", "2020-06-06"),
        ("2020-06-05T23:30:00+0", "2020-06-06"),
        ("2020-06-05T2:30+00:0", "2020-06-06"),  # no time that can be told: after the close
        ("2020-06-06T02:00:00+00:00", "2020-06-06"),  # in New York the evening before, after the close
        ("2020-12-01 20:30:00+00:00", "2020-12-01"),  # half past three, in winter
        ("2020-06-05 10:00:00", "2020-06-05"),
        ("2020-06-05", "2020-06-06"),
        ("2020-06-05 00:00:00", "2020-06-06"),
        ("2020-06-05 00:00:00-04:00", "2020-06-06"),
        ("2020-06-05T00:00:00Z", "2020-06-06"),  # the day as written: in New York it is the fourth
        ("2019-11-29 13:30:00-05:00", "2019-11-30"),  # the day after Thanksgiving
        ("2020-12-24 12:59:00-05:00", "2020-12-24"),
        ("2020-12-24 14:00:00-05:00", "2020-12-25"),
        ("yesterday", None),
        ("", None),
        ("AAN", None),
        ("2020-13-45 10:00:00", None),
    ],
)
def test_a_headline_is_known_at_the_first_close_after_it(date, known):
    (found,) = known_at_close(pd.Series([date]))
    assert (None if pd.isna(found) else str(found.date())) == known


def test_a_planted_headline_counts_on_its_trading_day_and_on_no_other():
    days = pd.DatetimeIndex(["2020-06-04", "2020-06-05", "2020-06-08", "2020-06-09"])  # Thursday, Friday, Monday ...
    for date, row in (
        ("2020-06-05 09:00:00-04:00", 1),
        ("2020-06-05 17:00:00-04:00", 2),
        ("2020-06-06 12:00:00-04:00", 2),
        ("2020-06-07", 2),
        ("2020-06-08", 3),
    ):
        known = known_at_close(pd.Series([date]))
        table = pd.DataFrame({"title": ["good"], "ticker": ["A"], "known": known, "score": [0.5]})
        features = ScoredHeadlines(table, "here").features("A", days)
        np.testing.assert_array_equal(np.flatnonzero(features["tone"]), [row])
        assert features["tone"].iloc[row] == 0.5
        assert not ScoredHeadlines(table, "here").features("B", days).any(axis=None)
    for date in ("2020-06-03 09:00:00-04:00", "2020-06-09 17:00:00-04:00"):  # before the first day, after the last
        table = pd.DataFrame(
            {"title": ["x"], "ticker": ["A"], "known": known_at_close(pd.Series([date])), "score": [0.5]}
        )
        assert not ScoredHeadlines(table, "here").features("A", days).any(axis=None)


def test_several_headlines_of_a_day_are_averaged_and_counted():
    known = pd.to_datetime(["2020-06-05"] * 3)
    table = pd.DataFrame({"title": list("abc"), "ticker": "A", "known": known, "score": [1.0, -0.5, 0.1]})
    features = ScoredHeadlines(table, "here").features("A", pd.DatetimeIndex(["2020-06-05"]))
    assert features.iloc[0].tolist() == pytest.approx([np.log(4), 0.2])


@pytest.mark.parametrize("last_known", [30, 77, 150])
def test_headlines_after_a_close_move_no_feature_up_to_it(last_known):
    """All that was written after the close of day t is replaced by noise."""
    days = make_prices(seed=0, tickers=1, days=200).prices.frames["S00"].index
    table = make_headlines(seed=0, tickers=1, days=200)
    close = days[last_known].tz_localize("America/New_York") + pd.Timedelta(hours=16)
    later = pd.to_datetime(table["date"], utc=True) >= close
    rng = np.random.default_rng(last_known)
    noise = table.assign(
        title=[
            rng.choice(["a", "bb", "ccc", "dddd"]) if late else t for late, t in zip(later, table["title"], strict=True)
        ]
    )
    more = noise[later].sample(frac=0.5, random_state=1).assign(title="one more")
    before, after = (_features(each, days) for each in (table, pd.concat([noise, more])))
    assert before.iloc[: last_known + 1].equals(after.iloc[: last_known + 1])
    assert not before.equals(after), "nothing moved: this proves nothing"


def _features(table, days):
    known = known_at_close(table["date"])
    return ScoredHeadlines(table.assign(known=known, score=by_length(table["title"])), "here").features("S00", days)


def test_of_two_columns_that_could_be_the_ticker_one_is_read(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text("title,date,Date ,stock,ticker\nUp,2020-06-05,soon,A,B\n")
    assert read_headlines(path).table["ticker"].tolist() == ["A"]


def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text(
        HEADER
        + '0,"Up, and ""away""",2020-06-05 10:30:00-04:00,A\n'
        + "1,Broken over\n"
        + ",2020-06-05 10:31:00-04:00,A\n"
        + "2,,2020-06-05 10:32:00-04:00,A\n"
        + "3,Nobody's,2020-06-05 10:33:00-04:00,\n"
        + "4,Soon,soon,A\n"
    )
    headlines = read_headlines(path)
    assert headlines.table["title"].tolist() == ['Up, and "away"']
    assert headlines.repairs == (
        "3 headlines without a date that can be read left out (row 2, 3, 6)",
        "1 headlines without a headline left out (row 4)",
        "1 headlines without a ticker left out (row 5)",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("", "is empty; give a CSV"),
        ("title,stock\nUp,A\n", "has no column date or datetime"),
        ("title,date,stock\nUp,,A\nDown,soon,A\n", "no headline that can be used: 2 headlines without a date"),
        ("title,date,stock\n", "it has no rows"),
    ],
    ids=["missing", "empty", "no dates", "unreadable dates", "no rows"],
)
def test_files_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "news.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_headlines(path)


def test_what_a_person_is_told_of_headlines_beside_prices(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text("Headline,Published,Symbol\nUp,2011-01-04,S00\nDown,2012-01-04,S00\nElse,2012-01-04,XYZ\n")
    scored = read_headlines(path).scored(by_length, name="by length")
    frames = make_prices(seed=0, tickers=2, days=900).prices.frames
    notes = scored.notes(frames)
    assert notes[0] == "headlines from 2011-01-05 to 2012-01-05: S00 2"
    assert notes[1].startswith("no headlines about S01")
    assert "of the trading days lie before the first headline or after the last" in notes[2]
    with pytest.raises(InputError, match="no headline about S01; it has those of S00, XYZ"):
        scored.notes({"S01": frames["S01"]})


def test_the_last_evening_that_python_knows_is_told_in_the_year_after(tmp_path):
    (tmp_path / "news.csv").write_text("title,date,stock\nup,9999-12-31 23:00,S00\n")
    frame = pd.DataFrame(index=pd.bdate_range("2011-01-03", periods=5))
    notes = read_headlines(tmp_path / "news.csv").scored(by_length, name="by length").notes({"S00": frame})
    assert "to 10000-01-01: S00 1" in notes[0]


def test_planted_news_are_worth_what_the_oracle_says():
    """Who knows the news beside the sample's state beats who knows that alone, where news do anything."""
    for news, worth in ((0.25, True), (0.0, False)):
        data = stocks.load("sample", seed=0, lookback=10, horizon=3, sample_news=news, tickers=["S00", "S01"])
        without = np.concatenate([_known_without_news(data, t) for t in data.test.tickers])
        best, rest = (data.score(f, replicates=0)["mae"] for f in (data.oracle, without))
        assert (rest - best > 0.002 * best) == worth
        assert best <= rest


def _known_without_news(data, ticker):
    sample = make_prices(seed=0, signal=0.35)
    rows = data.test.dates[data.test.ticker_ids == data.test.tickers.index(ticker)].astype("datetime64[s]")
    return sample.oracle(ticker, data.horizon)[sample.prices.frames[ticker].index.get_indexer(rows)]


def test_headlines_of_the_sample_say_what_was_planted():
    table = make_headlines(seed=0, tickers=2, days=300)
    known = known_at_close(table["date"])
    scored = ScoredHeadlines(table.assign(known=known, score=by_word(table["title"])), "the sample")
    days = make_prices(seed=0, tickers=2, days=300).prices.frames["S01"].index
    tones = make_tones([0, 1, 1], 300)
    features = scored.features("S01", days)
    np.testing.assert_array_equal(features["news"] > 0, tones != 0)
    np.testing.assert_array_equal(features["tone"], np.where(tones == 2, 0, tones))
    assert 0 < DECAY < 1


def test_loaded_with_the_prices_they_are_two_more_columns():
    table = make_headlines(seed=0)
    scored = ScoredHeadlines(table.assign(known=known_at_close(table["date"]), score=by_word(table["title"])), "here")
    options = {"seed": 0, "lookback": 10, "horizon": 3, "tickers": ["S00", "S03"], "features": ["return"]}
    data, plain = (stocks.load("sample", **options, news=news) for news in (scored, None))
    assert data.features == ("return", *NEWS_COLUMNS)
    np.testing.assert_array_equal(data.train.inputs[..., 0], plain.train.inputs[..., 0])
    assert data.fingerprint != plain.fingerprint
