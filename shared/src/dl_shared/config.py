"""The options that every training command has, and how those of a run are read again."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar

from dl_shared.paths import make_absolute
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check

Config = TypeVar("Config")

Device = Literal["auto", "cpu", "gpu", "tpu"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Options every project has; a project adds its own fields and its presets."""

    changeable: ClassVar[frozenset[str]] = frozenset({"device"})
    """Options that may be others when a run is resumed: they say where to compute, and not what."""

    data: str = "hub"
    """`sample` (made on the spot), `hub` (the public source), or a path."""
    epochs: int
    """Passes over the training data."""
    batch_size: int
    """Examples per step."""
    seed: int = 0
    """Fixes the data order, the initial weights and all other randomness."""
    device: Device = "auto"
    """Where to compute; `auto` takes the best there is."""
    precision: Precision = "fp32"
    """Number format of the forward and backward pass."""

    def __post_init__(self) -> None:
        if self.data not in ("sample", "hub"):
            make_absolute(self, "data")
        check(self, AT_LEAST_1, "epochs", "batch_size")
        check(self, NOT_NEGATIVE, "seed")


def from_json(config_type: type[Config], values: Any) -> Config:
    """A configuration as the dataclass it was made from.

    Args:
        config_type: the dataclass; all its annotations are types, not strings.
        values: what JSON has kept of it, where tuples are lists.

    Raises:
        ValueError: if other fields are there, one has a value of another type, or the dataclass refuses one.
    """
    from typeguard import CollectionCheckStrategy, TypeCheckError, check_type  # slow to import, and not for --help

    types = {field.name: field.type for field in fields(config_type)}  # type: ignore[arg-type]
    if not isinstance(values, dict) or set(values) != set(types):
        raise ValueError(f"it does not have the options of {config_type.__module__}")
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, value in options.items():
        try:
            check_type(value, types[name], collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
        except TypeCheckError as error:
            raise ValueError(f"{name} is {value!r} ({error})") from None
    return config_type(**options)
