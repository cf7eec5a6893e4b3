"""Networks on image data sets under one recipe: what each reaches, what it costs, and what it alone gets right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from sklearn.metrics import confusion_matrix

from dl_shared.baselines.pixels import pixel_probabilities
from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.metrics.bootstrap import bootstrap_ci
from dl_shared.plots import classification, cnn_comparison
from dl_shared.report import write_page
from dl_shared.runs import Run, read_history
from dl_shared.tasks.cifar10 import Data
from dl_shared.tasks.evaluation import side_by_side


@dataclass(frozen=True)
class Trained:
    """One network on one data set, by all its seeds."""

    dataset: str
    architecture: str
    results: tuple[Mapping[str, Any], ...]
    """One for each seed: `test`, `parameters`, `flops`, `train_seconds`, `images_per_second` and others."""
    probabilities: Float[np.ndarray, "seeds test classes"]
    histories: tuple[list[dict[str, Any]], ...]

    def mean(self, name: str) -> float:
        """The mean over seeds of a number in their results."""
        return float(np.mean([result[name] for result in self.results]))

    def right(self, data: Data) -> Bool[np.ndarray, "seeds test"]:
        """Which test images each seed got right."""
        return self.probabilities.argmax(axis=2) == data.test.labels


Filters = Mapping[str, Mapping[str, Float[np.ndarray, "features channels rows columns"]]]
"""Of the first convolution, by data set and architecture."""


def read_cells(folders: Sequence[Path]) -> list[Trained]:
    """Cells that are finished, those that differ in the seed alone together; in the order of the folders.

    Raises:
        InputError: if a file of a cell is damaged.
    """
    grouped: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        if (folder / "result.json").exists():
            result = read_json(folder / "result.json")
            grouped.setdefault((result["dataset"], result["architecture"]), []).append(folder)
    return [
        Trained(
            dataset,
            architecture,
            tuple(read_json(folder / "result.json") for folder in cells),
            np.stack([_read_array(folder / "predictions.npy") for folder in cells]),
            tuple(read_history(folder) for folder in cells),
        )
        for (dataset, architecture), cells in grouped.items()
    ]


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); delete its folder and resume the run") from None


def report(run: Run, sets: Mapping[str, Data], cells: Sequence[Path], filters: Filters) -> dict[str, Any]:
    """Score all networks on the test parts; write predictions, pictures and the page of the run.

    Args:
        run: still open, with its data recorded.
        sets: data sets by name.
        cells: folders, finished or not.
        filters: of the first convolution, where there are some to be looked at.

    Returns:
        The `metrics` of summary.json. Under `test` there is a table for each data set, a row for each network, and
        `accuracy`: the mean over data sets of the best network's, as that of the baseline is of the baseline's.

    Raises:
        InputError: if no cell is finished.
    """
    trained = read_cells(cells)
    by_set = {name: [one for one in trained if one.dataset == name] for name in sets}
    by_set = {name: rows for name, rows in by_set.items() if rows}
    if not by_set:
        raise InputError("no cell is finished, so there is nothing to compare")
    tables = {name: table(sets[name], rows) for name, rows in by_set.items()}
    leads = {name: lead(sets[name], rows) for name, rows in by_set.items()}
    metrics = _metrics(sets, tables, leads)
    run.update("metrics", **metrics)
    run.update("cost", **_cost(trained, tables))
    run.save_predictions(_predictions(sets, trained))
    _save_pictures(run, sets, by_set, tables, leads, filters)
    write_page(run.path)
    return metrics


def table(data: Data, rows: Sequence[Trained]) -> dict[str, dict[str, Any]]:
    """A row for each network, the most accurate first: means over seeds.

    `accuracy_ci` is the 95 % interval that other test images would give, `spread` that from the worst seed to the best.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in rows:
        right = one.right(data)
        found[one.architecture] = {
            "accuracy": float(right.mean()),
            "accuracy_ci": bootstrap_ci(np.mean, right.mean(axis=0)),
            "spread": float(np.ptp(right.mean(axis=1))),
            "seeds": len(one.results),
            "parameters": int(one.results[0]["parameters"]),
            "flops": int(one.results[0]["flops"]),
            "epochs": one.mean("epochs"),
            "train_seconds": one.mean("train_seconds"),
            "images_per_second": one.mean("images_per_second"),
        }
    return dict(sorted(found.items(), key=lambda item: -item[1]["accuracy"]))


def lead(data: Data, rows: Sequence[Trained]) -> dict[str, Any] | None:
    """By how much the best network is ahead of the second, on the same images; None where there is but one.

    `lead_ci` is the 95 % interval of the mean difference, over test images drawn again; it is of these trainings, and
    knows nothing of other seeds.
    """
    if len(rows) < 2:
        return None
    shares = {one.architecture: one.right(data).mean(axis=0) for one in rows}
    first, second = sorted(shares, key=lambda name: -shares[name].mean())[:2]
    difference = shares[first] - shares[second]
    return {
        "best": first,
        "second": second,
        "lead": float(difference.mean()),
        "lead_ci": bootstrap_ci(np.mean, difference),
    }


def describe(name: str, found: Mapping[str, Any]) -> str:
    """The lead in words."""
    low, high = found["lead_ci"]
    amount = f"{100 * found['lead']:.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    if low > 0:
        return f"On {name}, {found['best']} is the best; it leads {found['second']} by {amount}."
    return f"On {name}, {found['best']} leads {found['second']} by {amount}, which other test images might undo."


def only_right(data: Data, rows: Sequence[Trained]) -> tuple[list[str], Float[np.ndarray, "networks networks"]]:
    """Names, and the share of test images that the network of the row gets right and that of the column wrong.

    Over the first seed of each.
    """
    names = [one.architecture for one in rows]
    right = np.stack([one.right(data)[0] for one in rows]).astype(float)
    return names, right @ (1 - right).T / right.shape[1]


def _metrics(
    sets: Mapping[str, Data], tables: Mapping[str, dict[str, Any]], leads: Mapping[str, dict[str, Any] | None]
) -> dict[str, Any]:
    best = {name: next(iter(rows.values()))["accuracy"] for name, rows in tables.items()}
    baselines = {name: _baseline(sets[name]) for name in tables}
    optima = [known["accuracy"] for name in tables if (known := sets[name].optimum) is not None]
    accuracy, baseline = (float(np.mean(list(values.values()))) for values in (best, baselines))
    optimum = float(np.mean(optima)) if len(optima) == len(tables) else None
    figures = side_by_side(
        "accuracy",
        test={"accuracy": accuracy, **tables, "leads": {name: found for name, found in leads.items() if found}},
        baseline={"name": "logistic regression on pixels", "accuracy": baseline, "datasets": baselines},
        optimum=None if optimum is None else {"accuracy": optimum},
    )
    return {"validation": {}} | figures


def _cost(trained: Sequence[Trained], tables: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Seconds and rate of all trainings; the parameters of the best networks, which the result is of: their mean."""
    results = [result for one in trained for result in one.results]
    seconds = sum(result["train_seconds"] for result in results)
    images = sum(result["images_per_second"] * result["train_seconds"] for result in results)
    best = [next(iter(rows.values()))["parameters"] for rows in tables.values()]
    return {
        "train_seconds": seconds,
        "examples_per_second": images / seconds,
        "parameters": round(float(np.mean(best))),
        "device": results[-1]["device"],
        "precision": results[-1]["precision"],
    }


def _baseline(data: Data) -> float:
    predicted = pixel_probabilities(data.train, data.test.images, len(data.class_names)).argmax(axis=1)
    return float((predicted == data.test.labels).mean())


def _predictions(sets: Mapping[str, Data], trained: Sequence[Trained]) -> pd.DataFrame:
    """A row for each test image of each cell."""
    parts = []
    for one in trained:
        data = sets[one.dataset]
        names = np.array(data.class_names)
        for result, probabilities in zip(one.results, one.probabilities, strict=True):
            columns = {
                "dataset": one.dataset,
                "architecture": one.architecture,
                "seed": result["seed"],
                "image": np.arange(len(probabilities)),
                "label": names[data.test.labels],
                "predicted": names[probabilities.argmax(axis=1)],
                "confidence": probabilities.max(axis=1),
            }
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _save_pictures(
    run: Run,
    sets: Mapping[str, Data],
    by_set: Mapping[str, Sequence[Trained]],
    tables: Mapping[str, dict[str, dict[str, Any]]],
    leads: Mapping[str, dict[str, Any] | None],
    filters: Filters,
) -> None:
    run.save_figure(
        cnn_comparison.heat_table(tables),
        "accuracy",
        caption=" ".join(
            ["Test accuracy, mean over seeds; below it the 95 % interval over test images."]
            + [describe(name, found) for name, found in leads.items() if found is not None]
        ),
    )
    for name, rows in by_set.items():
        data = sets[name]
        run.save_figure(
            cnn_comparison.curves({one.architecture: one.histories for one in rows}, name),
            f"curves_{name}",
            caption="Loss and accuracy of the validation part after each epoch, mean over seeds; the dotted loss is"
            " of the training part, with its labels smoothed and its images augmented.",
        )
        run.save_figure(
            cnn_comparison.pareto(tables[name], name),
            f"pareto_{name}",
            caption="Accuracy against parameters, operations and training time; on the line are the networks that no"
            " other beats in both.",
        )
        best = max(rows, key=lambda one: tables[name][one.architecture]["accuracy"])
        counts = confusion_matrix(
            data.test.labels, best.probabilities[0].argmax(axis=1), labels=np.arange(len(data.class_names))
        )
        title = f"{best.architecture} on {name}: what is taken for what"
        run.save_figure(
            classification.confusion(counts, data.class_names, title=title),
            f"confusion_{name}",
            caption="Of the best network, its first seed: rows are the truth, columns the prediction.",
        )
        if len(rows) > 1:
            names, shares = only_right(data, rows)
            run.save_figure(
                cnn_comparison.only_right(names, shares, name),
                f"only_right_{name}",
                caption="Test images that the network of the row gets right and that of the column wrong.",
            )
        if filters.get(name):
            run.save_figure(
                cnn_comparison.filters(filters[name], name),
                f"filters_{name}",
                caption="Filters of the first convolution, at most 32 of each network; each scaled on its own.",
            )
