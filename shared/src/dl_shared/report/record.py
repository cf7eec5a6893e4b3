"""A run directory as the reports read it: it may be unfinished or damaged, and nothing in it is taken on trust."""

import base64
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.runs import read_history, read_summary


@dataclass(frozen=True)
class Picture:
    """A PNG, ready to be embedded."""

    name: str
    caption: str
    width: int
    height: int
    uri: str
    """The file itself, as a `data:` address."""

    @property
    def wide(self) -> bool:
        """Whether it needs the page's whole width; half of it would make small letters illegible, or curves flat."""
        return self.width > 1420 or self.width > max(1200, 1.7 * self.height)


@dataclass(frozen=True)
class RunRecord:
    """What can be read of a run; `notes` says in words what could not."""

    path: Path
    summary: Mapping[str, Any]
    config: Mapping[str, Any]
    history: list[dict[str, Any]]
    notes: tuple[str, ...]

    @property
    def project(self) -> str:
        return str(self.summary.get("project") or self.path.name)

    @property
    def status(self) -> str:
        return str(self.summary.get("status") or "unknown")

    @property
    def metric(self) -> str:
        """The name of the metric that decides between runs of the task."""
        return str(self.section("primary").get("name") or "score")

    @property
    def higher_is_better(self) -> bool:
        return bool(self.section("primary").get("higher_is_better", True))

    @property
    def fingerprint(self) -> str | None:
        value = self.section("data").get("fingerprint")
        return None if value is None else str(value)

    def section(self, *names: str) -> Mapping[str, Any]:
        """A part of summary.json, empty where it is missing or null."""
        value: Any = self.summary
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, Mapping) else {}

    def score(self, split: str) -> float | None:
        """The deciding metric on `test`, `validation`, or of the `baseline` or `optimum`."""
        return as_number(self.section("metrics", split).get(self.metric))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the test score."""
        return as_interval(self.section("metrics", "test").get(f"{self.metric}_ci"))

    @property
    def gap_closed(self) -> float | None:
        return as_number(self.section("metrics").get("gap_closed"))


def read_record(path: Path, summary: Mapping[str, Any] | None = None) -> RunRecord:
    """Read a run directory; with another summary than it has, if one is given.

    Raises:
        InputError: if `path` is no folder, or its summary.json is missing, damaged or of another schema.
            Anything else that cannot be read becomes a note: the rest of the page is still worth having.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a run directory")
    summary = read_summary(path) if summary is None else summary
    for name in ("data", "metrics", "primary", "cost", "versions"):
        if not isinstance(summary.get(name), Mapping | None):
            raise InputError(f"{path / 'summary.json'} is damaged: {name!r} is not an object")
    notes = []
    config: Any = {}
    history: list[dict[str, Any]] = []
    try:
        config = read_json(path / "config.json")
    except InputError as error:
        notes.append(str(error))
    try:
        history = read_history(path)
    except InputError as error:
        notes.append(f"The history of the training is left out: {error}")
    return RunRecord(path, summary, config if isinstance(config, dict) else {}, history, tuple(notes))


def read_pictures(folder: Path) -> tuple[list[Picture], list[str]]:
    """The pictures of a folder, training curves first, and notes on files that are no pictures."""
    from PIL import Image

    pictures, notes = [], []
    files = [file for file in folder.glob("*.png") if not file.name.startswith(".")]
    for file in sorted(files, key=lambda file: ("curve" not in file.stem, file.name)):
        try:
            content = file.read_bytes()
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                caption, (width, height) = image.info.get("Description"), image.size
                image.verify()
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's names for a file that is damaged
            notes.append(f"The picture {file.name} is left out: {error}")
            continue
        uri = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
        name = file.stem.replace("_", " ")
        pictures.append(Picture(name, str(caption or name.capitalize()), width, height, uri))
    return pictures, notes


def read_evaluations(path: Path) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Later scores of the run, newest first, each with the name of its file, and notes on damaged ones."""
    evaluations, notes = [], []
    for file in sorted((path / "evaluations").glob("*.json"), reverse=True):
        try:
            value = read_json(file)
        except InputError as error:
            notes.append(str(error))
            continue
        if isinstance(value, dict):
            evaluations.append((file.stem, value))
    return evaluations, notes


def read_samples(path: Path, of_each: int = 3) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The first texts that the run wrote in each way, and a note if they cannot be read."""
    file = path / "samples.json"
    if not file.exists():
        return [], []
    try:
        value = read_json(file)
    except InputError as error:
        return [], [str(error)]
    ways: dict[str, list[Mapping[str, Any]]] = {}
    for sample in value if isinstance(value, list) else []:
        if isinstance(sample, dict) and isinstance(sample.get("text"), str):
            ways.setdefault(str(sample.get("method")), []).append(sample)
    return [sample for samples in ways.values() for sample in samples[:of_each]], []


def as_number(value: Any) -> float | None:
    """A finite number as a float; anything else is None, an integer of hundreds of digits too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return None
    return float(value)


def as_interval(value: Any) -> tuple[float, float] | None:
    """Two finite numbers as a tuple; anything else is None."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = as_number(value[0]), as_number(value[1])
    return None if low is None or high is None else (low, high)
