"""Which devices a run computes on, and what they used."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dl_shared.errors import InputError
from flax_projects.config import FlaxConfig

DATA_AXIS = "data"


def data_mesh(kind: str, batch_size: int, count: int = 0) -> Mesh:
    """Devices of a kind (of all processes), in one row along which batches are split.

    Args:
        kind: `auto` (the best there is), `cpu`, `gpu` or `tpu`.
        batch_size: examples per step, over all devices.
        count: how many devices; 0 for all there are.

    Raises:
        InputError: if there are no such devices, or the batch cannot be split evenly.
    """
    try:
        devices = jax.devices(None if kind == "auto" else kind)
    except RuntimeError as error:
        raise InputError(f"no {kind} was found ({str(error).splitlines()[0]}); use --device auto") from None
    if count > len(devices):
        raise InputError(f"{count} devices were asked for, there are {len(devices)}; give a smaller --devices")
    devices = devices[: count or None]
    if batch_size % len(devices):
        raise InputError(f"batches of {batch_size} cannot be split over {len(devices)} devices; change --batch-size")
    return jax.make_mesh((len(devices),), (DATA_AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def training_mesh(config: FlaxConfig) -> Mesh:
    """The devices that a configuration asks for; raises what `data_mesh` does."""
    return data_mesh(config.device, config.batch_size, config.devices)


def split_rows(mesh: Mesh) -> NamedSharding:
    """The first axis in equal parts, one for each device."""
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def whole(mesh: Mesh) -> NamedSharding:
    """Everything on every device."""
    return NamedSharding(mesh, PartitionSpec())


def device_name(mesh: Mesh) -> str:
    """What a person calls the hardware, such as `cpu` or `4 x NVIDIA H100`."""
    count, kind = mesh.devices.size, mesh.devices.flat[0].device_kind
    return kind if count == 1 else f"{count} x {kind}"


def peak_memory(mesh: Mesh) -> dict[str, int]:
    """`peak_memory_bytes` of the fullest device; empty where the backend keeps no count."""
    statistics: list[dict[str, Any]] = [device.memory_stats() or {} for device in mesh.local_devices]
    peaks = [entry["peak_bytes_in_use"] for entry in statistics if "peak_bytes_in_use" in entry]
    return {"peak_memory_bytes": int(np.max(peaks))} if peaks else {}
