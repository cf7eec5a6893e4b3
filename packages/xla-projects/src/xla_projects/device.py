"""All that this package asks of torch_xla, except for the scan (`recurrent.py`).

A successor of torch_xla has been announced; this module is what would change. Tensors on the device are lazy:
operations on them are recorded, and `Device.compiled` makes one graph of all that one call records, which is compiled
the first time and looked up afterwards. Three rules keep a run at one compilation for each kind of call:

- Tensors are made on the host and moved by `Device.put`, because making one on the device would be recorded as well.
- What changes from call to call is passed as a tensor: a Python number 0 or 1 would become a constant of the graph.
- No value of a result is read within a call; `fetch` reads it afterwards.
"""

import functools
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dl_shared.errors import InputError
from dl_shared.progress import say
from xla_projects.config import XlaConfig

AXIS = "data"
_started: dict[str, Any] = {}
"""What the runtime of this process was started with, and how many devices share a batch."""
Given = ParamSpec("Given")
Result = TypeVar("Result")
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Device:
    """Where tensors lie and graphs run: one device, or several of one kind that share each batch.

    Several are driven as one by SPMD: a program written for one device is compiled for all of them, and each holds its
    part of a split tensor and a copy of every other (Xu et al. 2021, "GSPMD", arXiv:2105.04663).
    """

    kind: Literal["CPU", "TPU"]
    count: int
    device: torch.device
    precision: Literal["fp32", "bf16"]
    mesh: Any = None
    """All devices along one axis, if there are several."""
    hosts: int = 1
    """Machines that the devices belong to, each of which runs a process like this one."""
    host: int = 0
    """The number of this machine, from 0."""

    def put(self, values: np.ndarray | Tensor, *, split: bool = False) -> Tensor:
        """Move an array to the device, without a compilation.

        `tensor.to(device)` would record a scalar 0 or 1 as a constant.

        Args:
            values: on the host.
            split: whether each device gets an equal part of the first axis, or all of them everything.
        """
        import torch_xla.core.xla_model as xm

        moved: Any = xm.send_cpu_data_to_device([torch.as_tensor(values)], self.device)
        tensor: Tensor = moved[0]
        if self.mesh is not None:
            from torch_xla.distributed import spmd

            # Replicated tensors are marked too: results of a step are, and an unmarked input would be another graph.
            spmd.mark_sharding(tensor, self.mesh, (AXIS if split else None, *[None] * (tensor.ndim - 1))[: tensor.ndim])
        return tensor

    def whole(self, tensor: Tensor) -> Tensor:
        """Within a compiled call: give each device all of a result. Fetching a split one would be compiled again."""
        if self.mesh is not None:
            from torch_xla.distributed import spmd

            spmd.mark_sharding(tensor, self.mesh, (None,) * tensor.ndim)
        return tensor

    def to(self, module: Module) -> Module:
        """Move a module; every device gets all of it."""
        return module._apply(lambda tensor: self.put(tensor.detach()))  # as `module.to` does, but by `put`

    def autocast(self) -> AbstractContextManager[None]:
        """A context in which matrix products and convolutions are computed in the precision asked for."""
        return torch.autocast("xla", torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def compiled(self, function: Callable[Given, Result]) -> Callable[Given, Result]:
        """The function with each call compiled as one graph; what would break the graph is an error."""
        import torch_xla

        @functools.wraps(function)
        def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            with torch_xla.compile(full_graph=True, name=function.__name__):
                return function(*args, **kwargs)

        return call

    def seed(self, seed: int) -> None:
        """Seed the device's random numbers, such as those of dropout; the seed is an input of the graph."""
        import torch_xla

        torch_xla.manual_seed(seed, str(self.device))

    def wait(self) -> None:
        """Wait until all that was recorded has been computed, to measure time."""
        import torch_xla

        torch_xla.sync(wait=True)


def fetch(tensor: Tensor) -> np.ndarray:
    """A tensor of the device as an array."""
    return tensor.detach().cpu().numpy()


def compilations() -> int:
    """How many graphs this process has compiled, as counted by torch_xla."""
    return _compile_time()[0]


def compile_seconds() -> float:
    """How many seconds this process has spent on compiling them."""
    return _compile_time()[1]


def _compile_time() -> tuple[int, float]:
    from torch_xla.debug import metrics

    measured = metrics.metric_data("CompileTime")
    return (0, 0.0) if measured is None else (int(measured[0]), measured[1] / 1e9)


def start_device(config: XlaConfig) -> Device:
    """The device that the options ask for. The first call fixes kind and number of devices for the whole process.

    `auto` takes what `PJRT_DEVICE` says if it is set, else a TPU if there is one, else the CPU.

    Args:
        config: `device`, `devices`, `precision` and `compile_cache` are read.

    Raises:
        InputError: if there is no such device, or it cannot be used with this installation.
    """
    kind = _kind(config.device)
    count = _start_runtime(kind, config.devices, config.compile_cache)
    import torch_xla
    import torch_xla.runtime as xr

    mesh = None
    if count > 1:
        from torch_xla.distributed import spmd

        mesh = spmd.Mesh(np.arange(count), (count,), (AXIS,))
    if count > 1 and config.batch_size % count:
        raise InputError(f"--batch-size {config.batch_size} cannot be cut into {count} equal parts")
    assert xr.device_type() == kind
    return Device(kind, count, torch_xla.device(), config.precision, mesh, xr.process_count(), xr.process_index())


def _kind(asked: str) -> Literal["CPU", "TPU"]:
    _import()
    from torch_xla._internal import tpu

    if asked == "gpu":
        raise InputError("PyTorch/XLA's support of GPUs has ended; take --device cpu, tpu or auto")
    if asked == "auto":
        there = "TPU" if tpu.num_available_chips() > 0 else "CPU"
        asked = os.environ.get("PJRT_DEVICE") or there
    kind = asked.upper()
    if kind not in ("CPU", "TPU"):
        raise InputError(f"PJRT_DEVICE is {asked}; this version of PyTorch/XLA knows CPU and TPU")
    return kind  # type: ignore[return-value]


def _import() -> None:
    os.environ.setdefault("PJRT_SELECT_DEFAULT_DEVICE", "0")  # torch_xla would print that it did so
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's warnings are not for users
    try:
        import torch_xla  # noqa: F401
    except ImportError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"torch_xla cannot be used beside torch {torch.__version__} ({reason}); both must be of one release:"
            " pip install torch==2.9.0 torch_xla==2.9.0"
        ) from None


def _start_runtime(kind: str, devices: int, compile_cache: str | None) -> int:
    """Start the runtime if it is not running yet; returns how many devices share a batch."""
    import torch_xla
    import torch_xla.runtime as xr

    asked = (kind, devices or (1 if kind == "CPU" else 0))
    if _started:
        if _started["asked"] != asked:
            raise InputError(f"this process computes on {_started['asked']}; start another one for {asked}")
        return int(_started["count"])
    os.environ["PJRT_DEVICE"] = kind
    if kind == "CPU":
        os.environ["CPU_NUM_DEVICES"] = str(asked[1])
    if compile_cache is not None:
        _use_cache(kind, compile_cache)
    if asked[1] != 1:
        xr.use_spmd()
    try:
        torch_xla.device()
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        hint = '; pip install "torch_xla[tpu]==2.9.0" on a TPU VM' if kind == "TPU" else ""
        raise InputError(f"there is no {kind} to compute on ({reason}){hint}") from None
    found = xr.global_runtime_device_count()
    if asked[1] > 1 and found != asked[1]:
        raise InputError(f"--devices {asked[1]}, but there are {found}; take --devices 0 for all of them, or 1")
    count = 1 if asked[1] == 1 else found
    _started.update(asked=asked, count=count)
    return count


def _use_cache(kind: str, folder: str) -> None:
    """Keep compiled programs in a folder for the next process."""
    import torch_xla.runtime as xr

    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / ".written").write_text("")
        (path / ".written").unlink()
    except OSError as error:
        raise InputError(f"--compile-cache {path} cannot be written to ({error.strerror})") from None
    if kind == "CPU":
        say("compiled programs are not kept: torch_xla 2.9 writes those of a CPU, but cannot read them back")
        return
    xr.initialize_cache(str(path))
