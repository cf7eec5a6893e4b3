"""The verb `setup`: finds the devices, and computes on them."""

import os
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dl_shared.errors import InputError
from xla_projects.config import XlaConfig
from xla_projects.device import Device, compilations, fetch, start_device
from xla_projects.optimizer import make_adamw, set_rates
from xla_projects.options import SetupOptions

BATCH, FEATURES, HIDDEN = 64, 32, 128
TOLERANCE = 1e-4


def setup(options: SetupOptions) -> dict[str, Any]:
    """Find the device, compile an update of a small network, make it twice, and compare it with eager PyTorch.

    Returns:
        versions, device, seconds and advice.

    Raises:
        InputError: if there is no such device, or its losses are not those of the host.
    """
    chosen = "PJRT_DEVICE" in os.environ and options.device == "auto"
    config = XlaConfig(
        epochs=1,
        batch_size=BATCH,
        device=options.device,
        devices=options.devices,
        compile_cache=options.compile_cache,
    )
    device = start_device(config)
    before = compilations()
    seconds, losses = _updates(device)
    expected = _updates(None)[1]
    if not np.allclose(losses, expected, rtol=TOLERANCE):
        raise InputError(f"the device computes losses of {losses}, the host of {expected}: this installation is broken")
    return {
        "torch": torch.__version__,
        "torch_xla": version("torch_xla"),
        "backend": device.kind,
        "chosen by": "PJRT_DEVICE" if chosen else f"--device {options.device}",
        "devices": device.count,
        "compilations": compilations() - before,
        "first step (s)": seconds[0],
        "second step (s)": seconds[1],
        "same as eager": True,
        "advice": "; ".join(_advice(device)) or "none",
    }


def _updates(device: Device | None) -> tuple[list[float], list[float]]:
    """Seconds and losses of two updates on the device; if it is None, only losses, computed eagerly on the host."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randn(BATCH, size, generator=generator) for size in (FEATURES, 1))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1))
    model = device.to(model) if device else model
    optimizer = (
        make_adamw(device, [{"params": list(model.parameters())}]) if device else torch.optim.AdamW(model.parameters())
    )

    def step(inputs: Float[Tensor, "batch features"], targets: Tensor, rates: Tensor) -> Tensor:
        set_rates(optimizer, rates)
        optimizer.zero_grad()
        loss = F.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    rates = torch.tensor([1e-3])
    if device is None:
        return [], [float(step(inputs, targets, rates)) for _ in range(2)]
    compiled, seconds, losses = device.compiled(step), [], []
    for _ in range(2):
        begun = time.perf_counter()
        loss = compiled(device.put(inputs, split=True), device.put(targets, split=True), device.put(rates))
        losses.append(float(fetch(loss)))
        seconds.append(time.perf_counter() - begun)
    return seconds, losses


def _advice(device: Device) -> list[str]:
    from torch_xla._internal import tpu

    if device.kind == "TPU":
        return []
    advice = ["compiled programs cannot be kept from one start to the next on a CPU"]
    if tpu.num_available_chips() > 0:
        advice.append('there is a TPU: pip install "torch_xla[tpu]==2.9.0", and take --device tpu')
    return advice
