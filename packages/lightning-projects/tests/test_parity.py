"""The networks beside the same in plain PyTorch, given what `nox -s parity` gives all frameworks."""

import importlib
from functools import partial
from pathlib import Path

import pytest
import torch.nn.functional as F

from lightning_projects.cifar10.model import ACTIVATIONS

TOOLS = Path(__file__).resolve().parents[3] / "tools"


@pytest.fixture
def tools(monkeypatch):
    """A module of tools/, by its name; the GELU that one of them exchanges comes back afterwards."""
    monkeypatch.setitem(ACTIVATIONS, "gelu", partial(F.gelu))
    for folder in (TOOLS / "networks", TOOLS):
        monkeypatch.syspath_prepend(folder)
    return importlib.import_module


@pytest.mark.parametrize("network", ["lstm", "cnn"])
def test_a_step_of_the_trainer_is_that_of_plain_pytorch(tools, network):
    case = tools("cases").make_cases()[network]
    ours, plain = (getattr(tools(script), network)(case) for script in ("with_lightning", "with_torch"))
    found = tools("parity_weights").compare(network, "lightning", ours, plain)
    assert len(ours.gradients) == len(plain.gradients) > 6
    assert found.unequal == []
