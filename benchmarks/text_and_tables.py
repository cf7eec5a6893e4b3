"""What the baselines of Shakespeare, IMDb and houses reach, and the optimum where it is known.

    python benchmarks/text_and_tables.py             sample data
    python benchmarks/text_and_tables.py FOLDER      the real data in FOLDER: shakespeare/, imdb/, house_prices/

Each figure stands with its 95 % bootstrap interval and the seconds it took, cached results included.
"""

import sys
import time
from pathlib import Path

from dl_shared.baselines.ridge import ridge_cross_validated
from dl_shared.data.houses import read_houses
from dl_shared.metrics.regression import score_regression
from dl_shared.tasks import houses, imdb, shakespeare

TASKS = (
    (shakespeare, "loss", "shakespeare/input.txt"),
    (imdb, "f1", "imdb"),
    (imdb, "accuracy", "imdb"),
    (houses, "rmse_log", "house_prices"),
)


def main(folder: Path | None) -> None:
    for task, metric, place in TASKS:
        started = time.perf_counter()
        data = task.load("sample" if folder is None else str(folder / place), seed=0)
        _, scores = task.baseline(data)
        low, high = scores[f"{metric}_ci"]
        optimum = "" if data.optimum is None else f", optimum {data.optimum[metric]:.4f}"
        seconds = time.perf_counter() - started
        name = task.__name__.rsplit(".", 1)[-1]
        print(
            f"{name}: {metric} {scores[metric]:.4f} [{low:.4f}, {high:.4f}] by {scores['name']}{optimum}; "
            f"{data.rows['test']:,} test rows; {seconds:.1f} s"
        )
    if folder is not None:
        every = read_houses(folder / "house_prices")
        for seed in range(3):
            score = score_regression(ridge_cross_validated(every, seed=seed), every.prices)
            low, high = score["rmse_log_ci"]
            print(f"houses, five folds, seed {seed}: rmse_log {score['rmse_log']:.4f} [{low:.4f}, {high:.4f}]")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
