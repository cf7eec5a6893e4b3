"""Recipes beside each other: differences that are there are found, paired by day; the page of a search."""

import numpy as np
import pandas as pd
import pytest

from dl_shared.errors import InputError
from dl_shared.metrics.selection import Deflated
from dl_shared.sample.prices import make_prices
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_comparison import Daily, compare_recipes, rise, write_comparison
from dl_shared.tasks.stocks_config import StocksConfig
from dl_shared.tasks.stocks_search import describe, write_search
from dl_shared.tuning import Choice, Tuning


def days(seed, *, factor=1.0, n=300):
    """Losses of days that differ wildly, and of another recipe on the same days."""
    rng = np.random.default_rng(seed)
    losses = rng.gamma(2.0, 1.0, n)
    noisy = factor * losses * (1 + 0.02 * rng.normal(size=n))
    rows = np.full(n, 3.0)
    return np.stack([3 * losses, rows], 1), np.stack([3 * noisy, rows], 1)


def test_a_small_difference_is_found_on_days_that_differ_wildly_because_they_are_paired():
    reference, other = days(0, factor=1.01)
    worth, low, high = rise(reference, other, horizon=5)
    assert worth == pytest.approx(1.0, abs=0.3)
    assert 0 < low < worth < high
    _, same = days(1)
    assert rise(days(1)[0], same, horizon=5)[1] < 0 < rise(days(1)[0], same, horizon=5)[2] + 0.3


def test_rows_hold_all_seeds_and_the_table_and_the_picture_are_written(tmp_path):
    reference, other = days(0, factor=1.02)
    found = {"the recipe": [Daily(reference, 0.03), Daily(reference, 0.01)], "without": [Daily(other, 0.0)] * 2}
    whole, without = compare_recipes(found, horizon=5)
    assert whole == {"recipe": "the recipe", "skill": pytest.approx(0.02), "skills": [0.03, 0.01]}
    assert without["p_value"] < 0.01
    assert without["worth_ci"][0] > 1
    write_comparison(tmp_path, [whole, without])
    table = pd.read_csv(tmp_path / "comparison.csv")
    assert table["worth"].tolist() == pytest.approx([np.nan, without["worth"]], nan_ok=True)
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_daily_errors_count_companies_alike_and_agree_with_the_report():
    data = stocks.load("sample", seed=0, lookback=10, horizon=3, tickers=["S00", "S01"])
    daily = Daily.of(data, data.oracle)
    assert daily.days[:, 1].sum() == len(data.test)
    assert daily.skill == pytest.approx(data.optimum["skill"])
    persistence = Daily.of(data, np.zeros_like(data.oracle))
    assert daily.days[:, 0].sum() < persistence.days[:, 0].sum()
    assert persistence.days[:, 0].sum() / len(data.test) == pytest.approx(0.8, abs=0.15), (
        "a normal error, in deviations"
    )


@pytest.mark.parametrize(
    ("p_value", "low", "found"),
    [
        (0.4, -0.01, "so nothing was found"),
        (0.001, 0.004, "so what was found is more than the luck"),
        (0.001, -0.001, "so it is not clear whether"),
        (0.4, 0.001, "so it is not clear whether"),
    ],
)
def test_the_page_of_a_search_says_what_its_winner_is_worth(tmp_path, p_value, low, found):
    deflated = Deflated(3, 12, 0.021, 0.015, (low, 0.026), p_value)
    assert found in describe(deflated, 4)
    config = StocksConfig(data="sample", epochs=1, batch_size=1, lookback=7)
    trials = pd.DataFrame({"number": [0, 1], "state": ["complete", "pruned"], "value": [0.021, np.nan]})
    tuning = Tuning(
        best_config=config, best_value=0.021, trials=trials, folder=tmp_path, space={"lookback": Choice((7, 8))}
    )
    tested = {"skill": 0.01, "skill_ci": [0.0, 0.02], "skill_of_prices": 0.012, "skill_of_prices_ci": [0.0, 0.02]}
    page = write_search(tmp_path, tuning, deflated, trials=4, tested={**tested, "trials": 3, "run": "here"}).read_text()
    assert found in page
    assert "touched once, after 3 configurations. The search has gone on since, to 4." in page
    assert "+0.0100 (+0.0000 to +0.0200)" in page
    assert page.count("<img") == 1


def test_what_a_configuration_asks_for_is_loaded_and_the_same_for_other_data():
    config = StocksConfig(
        data="sample", epochs=1, batch_size=1, lookback=10, horizon=3, tickers=("S00", "S01"), test_tickers=("S01",)
    )
    data = stocks.load_data(config)
    assert data.test.tickers == ("S01",)
    assert len(data.features) == 8
    other = stocks.load_data(config, source="sample", tickers=("S02",), cuts=data.cuts, scaler=data.scaler)
    assert other.train.tickers == other.test.tickers == ("S02",)
    history = stocks.load_company(config, "S01")
    np.testing.assert_array_equal(history.features, data.histories["S01"].features)


def test_prices_between_two_days():
    prices = make_prices(seed=0, tickers=1, days=100).prices
    days = prices.frames["S00"].index
    part = prices.between(str(days[10].date()), str(days[20].date()))
    assert part.frames["S00"].equals(prices.frames["S00"].iloc[10:20])
    assert part.source.endswith(f"from {days[10].date()} until {days[20].date()}")
    assert prices.between(None, None) is prices
    with pytest.raises(InputError, match="S00 has no day from 2030-01-01"):
        prices.between("2030-01-01", None)
    with pytest.raises(InputError, match="give dates like"):
        prices.between("soon", None)
    sample = stocks.load("sample", seed=0, lookback=10, horizon=3, tickers=["S00"], start="2014-01-01")
    assert sample.optimum["skill"] > 0.1, "the oracle is that of the same days"
