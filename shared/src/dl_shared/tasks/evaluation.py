"""Scores of a finished run on other data, kept beside it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dl_shared.files import write_json


def save_evaluation(run_path: Path, *, data: Mapping[str, Any], metrics: Mapping[str, Any]) -> Path:
    """Write RUN/evaluations/<UTC time>.json and draw the run's page again.

    Args:
        run_path: the run directory.
        data: `source`, `fingerprint` and `rows` of what was scored.
        metrics: as in summary.json.
    """
    from dl_shared.report import write_page

    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = run_path / "evaluations" / f"{moment}.json"
    write_json(path, {"data": dict(data), "metrics": dict(metrics)})
    write_page(run_path)
    return path
