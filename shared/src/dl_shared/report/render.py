"""Templates, and how the pages write numbers, times and sizes."""

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dl_shared.files import write_text
from dl_shared.report.record import Picture, as_interval, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTHING = "\N{EN DASH}"
_ABBREVIATIONS = {name: name.upper() for name in ("mae", "rmse", "mape", "mase", "f1", "r2", "bleu", "crps", "ece")}


def write_html(path: Path, template: str, **values: Any) -> Path:
    """Fill a template, every value escaped, and write the page atomically."""
    environment = Environment(
        loader=PackageLoader("dl_shared.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        score=score,
        percent=percent,
        plain=plain,
        seconds=seconds,
        bytes=size,
        words=words,
        sentence=sentence,
        value=value_of,
    )
    html = environment.get_template(template).render(**values)
    # A path that is not valid Unicode cannot be written as UTF-8; its odd bytes become question marks.
    write_text(path, html.encode("utf-8", "replace").decode("utf-8"))
    return path


def resource(name: str) -> str:
    """A file that lies beside the templates."""
    return resources.files("dl_shared.report").joinpath("templates", name).read_text(encoding="utf-8")


def with_script(name: str) -> dict[str, str]:
    """The values of a template that holds this one script, which the page's policy admits by its hash, and no other."""
    script = resource(name)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"script": script, "policy": f"; script-src 'sha256-{digest}'"}


def embed(figure: "Figure", name: str, caption: str) -> Picture:
    """Draw a figure straight into a page."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=160)
    width, height = (round(160 * inches) for inches in figure.get_size_inches())
    uri = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
    return Picture(name, caption, width, height, uri)


def score(value: Any) -> str:
    """A metric: four decimals where they mean something."""
    number = as_number(value)
    if number is None:
        return NOTHING if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if number and not 1e-3 <= abs(number) < 1e6:
        return f"{number:.3g}"
    return f"{number:,.4f}" if abs(number) < 100 else f"{number:,.2f}"


def percent(value: Any) -> str:
    """A share as a percentage."""
    number = as_number(value)
    return NOTHING if number is None else f"{100 * number:.1f}\N{NO-BREAK SPACE}%"


def plain(value: Any) -> str:
    """A value as its owner would type it."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    return str(value)


def seconds(value: Any) -> str:
    """A duration."""
    number = as_number(value)
    if number is None:
        return NOTHING
    if number < 120:
        return f"{number:.3g} s"
    minutes, rest = divmod(round(number), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def size(value: Any) -> str:
    """An amount of memory."""
    number = as_number(value)
    if number is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.4g} {unit}"
        number /= 1024
    return f"{number:.4g} TiB"


def moment(stamp: str) -> str:
    """`20261121T101112Z`, with or without more behind it, as people write a time; other text stays."""
    try:
        return datetime.strptime(stamp[:15], "%Y%m%dT%H%M%S").strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return stamp


def words(name: Any) -> str:
    """`bits_per_character` and `rmse_log` as people write them."""
    return " ".join(_ABBREVIATIONS.get(word, word) for word in str(name).split("_"))


def sentence(text: str) -> str:
    """The text with a capital first letter; unlike in `str.capitalize`, the other letters stay."""
    return text[:1].upper() + text[1:]


def value_of(name: str, value: Any) -> str:
    """A value in the unit that its name ends in."""
    if name.endswith("_seconds"):
        return seconds(value)
    if name.endswith("_bytes"):
        return size(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    number = as_number(value)
    if number is not None:
        return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
    return plain(value)


@dataclass(frozen=True)
class Table:
    """Scores by class, by horizon, by length ...: one row for each name, one column for each metric."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def tabulate(values: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, str], list[Table]]:
    """Sort nested metrics into single scores, each with its interval, and tables."""
    singles: dict[str, str] = {}
    tables: list[Table] = []
    for name, value in values.items():
        title = f"{prefix}{words(name)}"
        if isinstance(value, Mapping):
            rows = {str(key): row for key, row in value.items() if isinstance(row, Mapping)}
            if rows and len(rows) == len(value):
                tables.append(_table(title, rows))
            else:
                inner, more = tabulate(value, f"{title}: ")
                singles |= inner
                tables += more
        elif not name.endswith("_ci"):
            singles[title] = with_interval(values, name)
    return singles, tables


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row if not name.endswith("_ci")))
    return Table(
        title,
        tuple(words(name) for name in columns),
        tuple((key, tuple(with_interval(row, name) for name in columns)) for key, row in rows.items()),
    )


def with_interval(values: Mapping[str, Any], name: str) -> str:
    """`0.9132 (0.9081 to 0.9180)`."""
    value, interval = values.get(name), as_interval(values.get(f"{name}_ci"))
    text = score(value) if isinstance(value, int | float) and not isinstance(value, bool) else plain(value)
    return text if interval is None else f"{text} ({score(interval[0])} to {score(interval[1])})"
