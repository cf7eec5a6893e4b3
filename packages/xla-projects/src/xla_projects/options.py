"""Options of the verb `setup`; imports no framework, so that --help is instant."""

from dataclasses import dataclass

from dl_shared.config import Device


@dataclass(frozen=True, kw_only=True)
class SetupOptions:
    """Find the devices, compile and run one step on them, and say what is missing."""

    device: Device = "auto"
    """Where to compute; `auto` takes a TPU where there is one."""
    devices: int = 1
    """Devices that share each batch; on a CPU so many are made of it, 0 takes all that a TPU host has."""
    compile_cache: str | None = None
    """Folder of compiled programs to try."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        if self.devices < 0:
            raise ValueError(f"devices must not be negative, got {self.devices}")
