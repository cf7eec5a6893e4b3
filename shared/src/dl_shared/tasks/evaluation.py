"""A result beside baseline and optimum, and the scores of a finished run on other data."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dl_shared.files import write_json
from dl_shared.metrics import gap_closed
from dl_shared.report import write_page


def side_by_side(
    primary: str, *, test: Mapping[str, Any], baseline: Mapping[str, Any], optimum: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The `metrics` of summary.json, but for those of validation.

    Args:
        primary: the metric that says how much of the gap between baseline and optimum is closed, where there is one.
        test: scores of the result.
        baseline: the same of the simple method, with its `name`.
        optimum: the best scores possible, where they are known.
    """
    closed = None
    if optimum is not None and optimum[primary] != baseline[primary]:
        closed = gap_closed(test[primary], baseline[primary], optimum[primary])
    return {"test": test, "baseline": baseline, "optimum": optimum, "gap_closed": closed}


def save_evaluation(
    run_path: Path, metrics: dict[str, Any], *, source: str, fingerprint: str, rows: int
) -> dict[str, Any]:
    """Write RUN/evaluations/<UTC time>.json and draw the run's page again.

    Args:
        run_path: the run directory.
        metrics: as in summary.json.
        source, fingerprint: of the data, as in summary.json.
        rows: of its test part.

    Returns:
        The metrics.
    """
    data = {"source": source, "fingerprint": fingerprint, "rows": {"test": rows}}
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = run_path / "evaluations" / f"{moment}.json"
    write_json(path, {"data": data, "metrics": metrics})
    write_page(run_path)
    return metrics
