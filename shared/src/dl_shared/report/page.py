"""A run as one HTML page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl_shared import runs
from dl_shared.report.record import (
    Picture,
    RunRecord,
    as_interval,
    as_number,
    read_evaluations,
    read_pictures,
    read_record,
    read_samples,
)
from dl_shared.report.render import NOTHING, Table, embed, moment, score, sentence, tabulate, words, write_html

_FILES = ("config.json", "metrics.jsonl", "summary.json", "predictions.parquet", "samples.json")


def write_page(path: Path, output: Path | None = None, *, summary: Mapping[str, Any] | None = None) -> Path:
    """Write the page of a run, finished or not.

    Args:
        path: the run directory.
        output: where the page goes; `report.html` in the run directory unless given.
        summary: what summary.json is about to say; what it says unless given.

    Returns:
        The page: one file that needs no other, no script and no network.

    Raises:
        InputError: if `path` is not a run directory or its summary.json is missing or damaged.
    """
    path = Path(path).absolute()
    output = path / "report.html" if output is None else Path(output).absolute()
    record = read_record(path, summary)
    pictures, picture_notes = read_pictures(path / "plots")
    evaluations, evaluation_notes = read_evaluations(path)
    samples, sample_notes = read_samples(path)
    return write_html(
        output,
        "page.html.j2",
        run=record,
        title=_title(record),
        figures=_figures(record),
        scale=scale(record),
        pictures=pictures or _so_far(record),
        scores=_scores(record.section("metrics")),
        tables=tabulate(record.section("metrics", "test"))[1],
        evaluations=[_evaluation(stem, values) for stem, values in evaluations],
        samples=samples,
        latest=_latest(record),
        resume=None if record.status == "finished" else runs.resume_command(record.summary, record.path),
        files=[name for name in _FILES if (path / name).is_file()] if output.parent == path else [],
        notes=[*record.notes, *picture_notes, *evaluation_notes, *sample_notes],
    )


def _title(record: RunRecord) -> str:
    result = record.score("test")
    if result is None:
        return f"{record.project}: {record.status}"
    return f"{record.project}: {words(record.metric)} {score(result)}"


def _figures(record: RunRecord) -> list[dict[str, str]]:
    """The three figures that stand first: name, value, and a line that explains the value."""
    interval = record.interval
    result, beside = record.score("test"), "not measured yet"
    if result is not None:
        beside = f"95 % interval {score(interval[0])} to {score(interval[1])}" if interval else "on the test data"
    elif (validation := record.score("validation")) is not None:
        result, beside = validation, "on the validation data; the test data is still untouched"
    optimum = record.score("optimum")
    return [
        {"name": "Baseline", "value": score(record.score("baseline")), "beside": _described(record, "baseline")},
        {"name": "Result", "value": score(result), "beside": beside},
        {
            "name": "Optimum",
            "value": score(optimum),
            "beside": _described(record, "optimum") if optimum is not None else "not known for this data",
        },
    ]


def _described(record: RunRecord, split: str) -> str:
    named = record.section("metrics", split).get("name")
    if named is not None:
        return str(named)
    return "the simple method to beat" if split == "baseline" else "the best score that any model could reach"


@dataclass(frozen=True)
class Scale:
    """Where the figures lie on a line, in per cent of its length; better is always further right."""

    baseline: float | None
    result: float
    interval: tuple[float, float] | None
    optimum: float | None


def scale(record: RunRecord) -> Scale | None:
    """Place the three figures on a line, or None when there is nothing to compare the result with."""
    baseline, result, optimum = (record.score(split) for split in ("baseline", "test", "optimum"))
    if result is None or (baseline is None and optimum is None):
        return None
    interval = record.interval
    values = [value for value in (baseline, result, optimum, *(interval or ())) if value is not None]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return round(4 + 92 * (share if record.higher_is_better else 1 - share), 3)

    return Scale(
        None if baseline is None else place(baseline),
        place(result),
        None if interval is None else (min(map(place, interval)), max(map(place, interval))),
        None if optimum is None else place(optimum),
    )


def _scores(metrics: Mapping[str, Any]) -> Table | None:
    """Every single metric: on test data with its interval, on validation data, of the baseline, of the optimum."""
    splits = {split: _mapping(metrics.get(split)) for split in ("test", "validation", "baseline", "optimum")}
    names = dict.fromkeys(
        name
        for values in splits.values()
        for name, value in values.items()
        if as_number(value) is not None and not name.endswith("_ci")
    )
    intervals = {name: as_interval(splits["test"].get(f"{name}_ci")) for name in names}
    columns = {split: [score(values.get(name)) for name in names] for split, values in splits.items()}
    spans = [f"{score(span[0])} to {score(span[1])}" if span else NOTHING for span in intervals.values()]
    columns = {"test": columns.pop("test"), "95 % interval": spans, **columns}
    filled = {title: cells for title, cells in columns.items() if set(cells) != {NOTHING}}
    if not names:
        return None
    rows = zip(names, zip(*filled.values(), strict=True), strict=True)
    return Table("Scores", tuple(filled), tuple((words(name), cells) for name, cells in rows))


def _evaluation(stem: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A later evaluation: its metrics lie under `metrics`, by split or, like those of the test split, plainly."""
    source = values.get("data")
    if isinstance(source, Mapping):
        source = source.get("source")
    metrics = _mapping(values.get("metrics")) or {name: value for name, value in values.items() if name != "data"}
    if not isinstance(metrics.get("test"), Mapping):
        metrics = {"test": metrics}
    return {
        "when": moment(stem),
        "source": source,
        "scores": _scores(metrics),
        "tables": tabulate(metrics["test"])[1],
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _latest(record: RunRecord) -> list[tuple[str, dict[str, str]]]:
    """For a run that has no test scores: the last row logged of each split."""
    if record.score("test") is not None:
        return []
    last: dict[str, dict[str, str]] = {}
    for row in record.history:
        shown = {words(name): score(value) for name, value in row.items() if name != "split"}
        last[str(row.get("split", "train"))] = shown
    return list(last.items())


def _so_far(record: RunRecord) -> list[Picture]:
    """A picture drawn from the history, for a run that has not come to its own."""
    from dl_shared.plots import comparison

    followed = comparison.followed_metric([record.history], record.metric)
    if followed is None:
        return []
    name, split = followed
    points = comparison.curve(record.history, name, split)
    if len(points) < 2:
        return []
    figure = comparison.curves({split: points}, words(name), "Training so far")
    return [embed(figure, f"{split} {name}", f"{sentence(words(name))} on the {split} data so far.")]
