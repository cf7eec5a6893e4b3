"""Run directories, checkpoints, folders of pretrained models, and what Yahoo answers."""

import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import requests
from requests.adapters import BaseAdapter

from dl_shared import checkpoints
from dl_shared.config import TrainConfig
from dl_shared.data import yahoo
from dl_shared.data.backbones import find_backbone
from dl_shared.data.picture_backbones import (
    Preparation,
    describe_preparation,
    find_picture_backbone,
    read_preparation,
)
from dl_shared.errors import InputError
from dl_shared.files import write_json
from dl_shared.report import write_page
from dl_shared.report.compare import write_comparison
from dl_shared.runs import find_run, read_config, read_history, read_summary
from dl_shared.tasks.stocks_outputs import load_outputs
from dl_shared.tuning import Choice, Float, Int, Space, TuneOptions, tune
from fuzzing.damage import ODD_VALUES, Files, by_bytes, by_values
from fuzzing.formats import Format
from fuzzing.packages import presets
from fuzzing.source import Source

sys.path.append(str(Path(__file__).resolve().parents[2] / "shared" / "tests"))
import report_runs
import yahoo_server

DAYS = [
    (f"2020-01-{day:02}", 10.0 + day, 11.0 + day, 9.0 + day, 10.5 + day, 5.25 + day / 2, 100 * day)
    for day in (*range(2, 4), *range(6, 11), *range(13, 18))
]


def _values(files: Files, source: Source) -> Files:
    return by_values(files, source.rng)


def _run(folder: Path) -> None:
    """A finished run with all that a report shows, and nothing in it that is another each time."""
    made = report_runs.make_run(folder / "made")
    report_runs.add_picture(made, "curves", "Loss.")
    summary = json.loads((made / "summary.json").read_text())
    summary["versions"], summary["cost"]["peak_memory_bytes"] = {"numpy": "2.0"}, 10**8
    write_json(made / "summary.json", summary)
    write_json(made / "samples.json", [{"method": "greedy", "text": "To be", "prompt": "To"}])
    later = {"data": {"source": "sample"}, "metrics": {"test": {"accuracy": 0.8, "accuracy_ci": [0.7, 0.9]}}}
    write_json(made / "evaluations" / "20261121T101112Z.json", later)
    for file in made.iterdir():
        shutil.move(file, folder / file.name)
    shutil.rmtree(folder / "made")


def _unfinished(folder: Path) -> None:
    _run(folder)
    summary = json.loads((folder / "summary.json").read_text())
    write_json(folder / "summary.json", summary | {"status": "interrupted", "metrics": {}})


def _read_run(path: Path, seed: str) -> Any:
    run = find_run(path)
    return read_summary(run), read_history(run)


def _page(path: Path, seed: str) -> Any:
    return write_page(path, path / "page.html").stat().st_size


def _comparison(path: Path, seed: str) -> Any:
    sound = path.parent / "sound-a1b2c3"
    _run(sound)
    try:
        write_comparison([path, sound], path / "comparison.html", path / "comparison.md")
    finally:
        shutil.rmtree(sound)


def _config(project: str) -> Any:
    def write(folder: Path) -> None:
        preset = next(iter(presets()[project].values()))
        values = json.loads(json.dumps(dataclasses.asdict(preset), default=str))
        write_json(folder / "config.json", values)
        write_json(folder / "summary.json", {"schema": 1, "project": project, "metrics": {}})

    return write


def _read_config(path: Path, seed: str) -> Any:
    return read_config(path, type(next(iter(presets()[seed].values()))))


def _forecaster(folder: Path) -> None:
    record = {
        "features": ["return", "volume"],
        "scaler": {"mean": [0.0, 1.0], "deviation": [1.0, 2.0], "limit": 10.0},
        "target_scale": [1.0, 1.5, 2.0],
        "levels": [0.05, 0.5, 0.95],
        "rate": 0.01,
        "factors": [[1.0], [1.1], [1.2]],
    }
    write_json(folder / "forecaster.json", record)
    write_json(folder / "config.json", {})


def _checkpoint(rows: int) -> Any:
    def write(folder: Path) -> None:
        model: checkpoints.Arrays = {
            "head.weight": np.ones((rows, 64), np.float32),
            "head.bias": np.zeros(rows, np.float16),
        }
        checkpoints.save(folder / "last.safetensors", {"epoch": 3, "rng": [1, 2]}, model=model, optimizer={})

    return write


def _model(kind: str) -> Any:
    def write(folder: Path) -> None:
        write_json(folder / "config.json", {"model_type": kind, "hidden_size": 8})
        write_json(folder / "tokenizer.json", {"version": "1.0"})
        write_json(folder / "preprocessor_config.json", describe_preparation(Preparation(32)))
        shards = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
        write_json(folder / "model.safetensors.index.json", shards)
        for name in ("one", "two"):
            (folder / f"{name}.safetensors").write_bytes(b"weights")

    return write


def _read_model(path: Path, seed: str) -> Any:
    if seed == "bert":
        return find_backbone(str(path))
    return read_preparation(find_picture_backbone(str(path)))


class _Answers(BaseAdapter):
    """Answers every question for a chart with the same bytes."""

    def __init__(self, chart: bytes) -> None:
        super().__init__()
        self.chart = chart

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, str(request.url), request
        answer._content = self.chart if "/chart/" in answer.url else b"crumb"
        answer.headers["Content-Type"] = "application/json"
        return answer

    def close(self) -> None: ...


def _chart(folder: Path) -> None:
    with yahoo_server.yahoo_server({"ABC": DAYS}) as server:
        address = f"{server.url}/v8/finance/chart/ABC?period1=0&period2=99999999999"
        (folder / "chart.json").write_bytes(requests.get(address, timeout=10).content)


@lru_cache(maxsize=1)
def _keep_time_zones() -> None:
    """In one folder: yfinance does not take another, once it has opened its database there."""
    import yfinance

    yfinance.set_tz_cache_location(os.environ.get("DL_SCRATCH") or tempfile.mkdtemp())
    yfinance.set_tz_cache_location = lambda folder: None


def _fetch(path: Path, seed: str) -> Any:
    import yfinance

    _keep_time_zones()
    session = requests.Session()
    session.mount("https://", _Answers(path.read_bytes()))
    yahoo._redirected_session = lambda base_url: session
    yfinance.data.YfData.cache_get.cache_clear()
    shutil.rmtree(Path(os.environ["DL_CACHE_DIR"]) / "yahoo", ignore_errors=True)
    return yahoo.fetch_prices(["ABC"], start="2020-01-01", end="2020-02-01", base_url="http://replay", waits=())


def _kept_prices(folder: Path) -> None:
    chart = folder / "chart.json"
    _chart(folder)
    _fetch(chart, "")
    chart.unlink()


def _read_kept(path: Path, seed: str) -> Any:
    """From the cache, or, where that is damaged, from a Yahoo out of reach."""
    try:
        return yahoo.fetch_prices(
            ["ABC"], start="2020-01-01", end="2020-02-01", base_url="http://127.0.0.1:9", waits=()
        )
    except InputError as error:
        if "cannot be reached" not in str(error):
            raise RuntimeError("a damaged cache was told as wrong input") from error
        return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Searched(TrainConfig):
    epochs: int = 1
    batch_size: int = 8
    rate: float = 0.1
    layers: int = 1
    cell: str = "lstm"


def _bowl(config: _Searched, report: Any) -> float:
    report(config.rate, step=0)
    return abs(config.rate - 0.3) + config.layers


def _search(folder: Path, trials: int) -> Any:
    space: Space = {"rate": Float(0.01, 1.0, log=True), "layers": Int(1, 3), "cell": Choice(("lstm", "gru"))}
    options = TuneOptions(trials=trials, runs_dir=folder / "runs", storage=f"sqlite:///{folder / 'studies.db'}")
    return tune("flax-stocks", _Searched(), space, _bowl, direction="minimize", options=options).summary()


def _study(folder: Path) -> None:
    _search(folder, 3)
    shutil.rmtree(folder / "runs")


def _break_study(files: Files, source: Source) -> Files:
    """By bytes, or by a cell of its tables."""
    if source.rng.random() < 0.4:
        return by_bytes(files, source.rng)
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(files["studies.db"])
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = source.rng.choice([name for name in names if database.execute(f"SELECT 1 FROM {name}").fetchone()])  # noqa: S608
        column = source.rng.choice([row[1] for row in database.execute(f"PRAGMA table_info({table})")])
        rows = [row for (row,) in database.execute(f"SELECT rowid FROM {table}")]  # noqa: S608
        odd: Any = source.rng.choice([None, 0, -1, 7, 2**62, 1e308, float("inf"), "", "x", b"\xff", *ODD_VALUES])
        with contextlib.suppress(sqlite3.IntegrityError):
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (odd, source.rng.choice(rows)))  # noqa: S608
            database.commit()
        return files | {"studies.db": database.serialize()}


FORMATS = [
    Format(name="run", seeds={"finished": _run}, break_=_values, read=_read_run),
    Format(name="run-config", seeds={name: _config(name) for name in presets()}, break_=_values, read=_read_config),
    Format(
        name="run-page",
        seeds={"finished": _run, "unfinished": _unfinished},
        break_=_values,
        read=_page,
        share=0.08,
    ),
    Format(name="run-comparison", seeds={"finished": _run}, break_=_values, read=_comparison, share=0.01),
    Format(name="forecaster", seeds={"kept": _forecaster}, break_=_values, read=lambda path, seed: load_outputs(path)),
    Format(
        name="checkpoint",
        seeds={"last": _checkpoint(3), "large": _checkpoint(50_000)},
        break_=lambda files, source: by_bytes(files, source.rng),
        read=lambda path, seed: checkpoints.load(path),
    ),
    Format(
        name="model-folder",
        seeds={"bert": _model("bert"), "resnet": _model("resnet")},
        break_=_values,
        read=_read_model,
    ),
    Format(name="yahoo", seeds={"chart": _chart}, break_=_values, read=_fetch, share=0.6),
    Format(
        name="yahoo-cache",
        seeds={"kept": _kept_prices},
        break_=lambda files, source: by_bytes(files, source.rng),
        read=_read_kept,
        share=0.5,
        is_cache=True,
    ),
    Format(
        name="study",
        seeds={"searched": _study},
        break_=_break_study,
        read=lambda path, seed: _search(path.parent, 4),
        share=0.01,
    ),
]
