"""Options of the verb `setup`; imports no framework, so that --help is instant."""

from dataclasses import dataclass

from dl_shared.config import Device
from dl_shared.ranges import NOT_NEGATIVE, check


@dataclass(frozen=True, kw_only=True)
class SetupOptions:
    """Find the devices, compile and run one step on them, and say what is missing."""

    device: Device = "auto"
    """Where to compute; `auto` takes a TPU if there is one."""
    devices: int = 1
    """Devices that share each batch; a CPU counts as so many, 0 takes all of a TPU host."""
    compile_cache: str | None = None
    """Folder of compiled programs to try."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, NOT_NEGATIVE, "devices")
