"""What conformal intervals around persistence hold, period by period, by how fast they follow the market.

    python benchmarks/stock_intervals.py PATH [--until 2017-10-01]

For each of several periods the intervals are calibrated on the four years before it, over two thirds of the companies,
and asked about the others. Every day from `--until` on is left out, so that a rate and a half-life can be chosen here
and still be tested there. `off` is the root mean square distance from 90 % over the periods; `width` is that of the
interval, mean over all windows and days ahead, in percent of the price.
"""

import argparse
from dataclasses import replace

import numpy as np

from dl_shared.data.backtest import rolling_origin
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_outputs import Outputs

LEVELS = (0.05, 0.5, 0.95)
RATES = (0.0, 0.003, 0.01, 0.03, 0.1)
PERIODS, PERIOD_DAYS, CALIBRATION_DAYS = 6, 500, 1000
THIRDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="a folder of prices")
    parser.add_argument("--until", default="2017-10-01", help="first day to leave out")
    parser.add_argument("--horizon", type=int, default=20)
    arguments = parser.parse_args()
    covered, widths, periods = measure(arguments.path, np.datetime64(arguments.until), arguments.horizon)
    print(f"{'rate':8}" + "".join(f"{period:>12}" for period in periods) + f"{'off':>8}{'width':>8}")
    for rate in RATES:
        off = np.sqrt(((covered[rate] - 0.9) ** 2).mean())
        cells = "".join(f"{share:12.3f}" for share in covered[rate])
        print(f"{rate:<8g}{cells}{off:8.4f}{widths[rate].mean():8.2f}")


def measure(
    path: str, until: np.datetime64, horizon: int
) -> tuple[dict[float, np.ndarray], dict[float, np.ndarray], list[str]]:
    """Coverage and width by rate, an array over the periods each, and the periods' first days."""
    options = {"seed": 0, "horizon": horizon, "features": ["return"]}
    histories = stocks.load(path, **options).histories
    dates = np.concatenate([history.dates[history.dates < until] for history in histories.values()])
    cuts = rolling_origin(
        dates, folds=PERIODS, horizon=horizon, test_days=PERIOD_DAYS, validation_days=CALIBRATION_DAYS
    )
    cuts = [replace(cut, test_until=min(cut.test_until or until, until)) for cut in cuts]
    shares, widths = ({rate: np.zeros((len(cuts), THIRDS)) for rate in RATES} for _ in range(2))
    for row, cut in enumerate(cuts):
        for third in range(THIRDS):
            data = stocks.load(path, cuts=cut, test_tickers=sorted(histories)[third::THIRDS], **options)
            for rate in RATES:
                outputs = Outputs.of(data, LEVELS, rate=rate).calibrated(data, np.zeros_like(data.validation.targets))
                ends = outputs.test_quantiles(data, np.zeros_like(data.test.targets))
                low, high = ends[..., 0], ends[..., -1]
                shares[rate][row, third] = ((low <= data.test.targets) & (data.test.targets <= high)).mean()
                widths[rate][row, third] = 100 * (np.exp(high) - np.exp(low)).mean()
    covered, width = ({rate: found[rate].mean(axis=1) for rate in RATES} for found in (shares, widths))
    return covered, width, [str(cut.test_from) for cut in cuts]


if __name__ == "__main__":
    main()
