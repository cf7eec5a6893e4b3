"""The network: its head alone or whole; found in folders and files, and what is said of those that cannot be used."""

import json
import subprocess

import pytest
import torch
import torch.nn.functional as F
from cifar10_tools import TINY, write_tiny_backbone
from safetensors.torch import load_file, save_file
from transformers import ResNetConfig

from accelerate_projects.cifar10.config import Config
from accelerate_projects.cifar10.model import load_backbone, load_exported, new_network
from accelerate_projects.cifar10.normalization import SharedBatchNorm2d, share_statistics
from accelerate_projects.cifar10.torchvision import read_torchvision, renamed
from accelerate_projects.cifar10.train import make_optimizer
from dl_shared.errors import InputError

NAMES = tuple("abcdefghij")
OTHERS = {"vit.weight": torch.zeros(3)}


@pytest.fixture
def folder(tmp_path):
    return write_tiny_backbone(tmp_path / "tiny")


@pytest.fixture
def network():
    torch.manual_seed(1)
    return new_network(ResNetConfig(**TINY), NAMES)


def test_the_backbone_comes_under_a_new_head(folder):
    exported, loaded = load_exported(folder), load_backbone(str(folder), NAMES)
    assert loaded.preparation.size == 32
    assert loaded.preparation.mean == (0.5, 0.4, 0.3)
    assert exported.network.classifier[-1].out_features == 7
    assert loaded.network.classifier[-1].out_features == 10
    inputs = torch.randn(2, 3, 32, 32)
    features = [part.network.eval().resnet(inputs).pooler_output for part in (exported, loaded)]
    torch.testing.assert_close(*features)
    assert {param.dtype for param in loaded.network.parameters()} == {torch.float32}


def test_a_head_of_as_many_other_classes_is_not_taken_over(folder):
    old = load_file(folder / "model.safetensors")["classifier.1.weight"].float()
    torch.manual_seed(0)
    assert not torch.allclose(load_backbone(str(folder), NAMES[:7]).network.classifier[-1].weight, old)


def test_the_size_can_be_another(folder):
    assert load_backbone(str(folder), NAMES, 64).preparation.size == 64


def test_while_frozen_the_head_learns_alone(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    network.freeze(True)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert {name for name, param in network.named_parameters() if param.grad is not None} == {
        "classifier.1.weight",
        "classifier.1.bias",
    }
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    network.freeze(False)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert all(param.grad is not None for param in network.parameters())


def test_stages_learn_slower_the_further_below_the_head(network):
    optimizer = make_optimizer(network, Config(learning_rate=1.0, weight_decay=0.1), layer_decay=0.5)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    rates = {name: found[id(param)] for name, param in network.named_parameters()}
    assert len(rates) == len(found)
    assert rates["classifier.1.weight"] == (1.0, 0.1)
    assert rates["classifier.1.bias"] == (1.0, 0.0)
    assert rates["resnet.encoder.stages.1.layers.0.shortcut.convolution.weight"] == (0.5, 0.1)
    assert rates["resnet.encoder.stages.0.layers.0.layer.1.normalization.bias"] == (0.25, 0.0)
    assert rates["resnet.embedder.embedder.convolution.weight"] == (0.125, 0.1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: _change(folder / "config.json", depths=[2, 1]), "do not fit its config.json"),
        (lambda folder: _change(folder / "config.json", hidden_sizes=[8, 24]), "do not fit its config.json"),
        (
            lambda folder: save_file(OTHERS, folder / "model.safetensors", {"format": "pt"}),
            "do not fit its config.json",
        ),
        (lambda folder: _cut(folder / "model.safetensors"), "cannot be loaded"),
    ],
    ids=["more layers", "wider", "of another network", "cut short"],
)
def test_weights_that_do_not_fit(folder, spoil, message):
    spoil(folder)
    with pytest.raises(InputError, match=message):
        load_backbone(str(folder), NAMES)


def _change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def torchvision_weights(bottleneck):
    """Two stages of one block each, under torchvision's names, with random weights and statistics."""
    draw = torch.Generator().manual_seed(0)
    weights = {}

    def convolution(name, before, after, side):
        weights[f"{name}.weight"] = torch.randn(after, before, side, side, generator=draw) / side / before**0.5

    def norm(name, channels):
        for kind in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{name}.{kind}"] = torch.rand(channels, generator=draw) + 0.5
        weights[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", 3, 8, 7)
    norm("bn1", 8)
    for stage, (before, after) in enumerate(((8, 16), (16, 32)), start=1):
        inner = after // 4 if bottleneck else after
        sides = (
            ((before, inner, 1), (inner, inner, 3), (inner, after, 1))
            if bottleneck
            else ((before, after, 3), (after, after, 3))
        )
        for number, (channels, filters, side) in enumerate(sides, start=1):
            convolution(f"layer{stage}.0.conv{number}", channels, filters, side)
            norm(f"layer{stage}.0.bn{number}", filters)
        convolution(f"layer{stage}.0.downsample.0", before, after, 1)
        norm(f"layer{stage}.0.downsample.1", after)
    weights |= {"fc.weight": torch.zeros(5, 32), "fc.bias": torch.zeros(5)}
    return weights


def torchvision_features(weights, x):
    """What torchvision's ResNet computes below its head, written from its documentation."""

    def norm(name, x):
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(weights[f"{name}.{kind}"] for kind in kinds))

    x = F.conv2d(x, weights["conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(norm("bn1", x).relu(), 3, stride=2, padding=1)
    for stage, stride in ((1, 1), (2, 2)):
        block = f"layer{stage}.0"
        parts = [number for number in (1, 2, 3) if f"{block}.conv{number}.weight" in weights]
        halving = 2 if len(parts) == 3 else 1  # the convolution of 3 x 3 that has the stride
        y = x
        for number in parts:
            filters = weights[f"{block}.conv{number}.weight"]
            y = F.conv2d(y, filters, stride=stride if number == halving else 1, padding=filters.shape[-1] // 2)
            y = norm(f"{block}.bn{number}", y)
            y = y.relu() if number < len(parts) else y
        x = F.conv2d(x, weights[f"{block}.downsample.0.weight"], stride=stride)
        x = (norm(f"{block}.downsample.1", x) + y).relu()
    return x.mean((2, 3))


@pytest.mark.parametrize("bottleneck", [False, True], ids=["basic", "bottleneck"])
def test_torchvisions_file_computes_the_same_here(tmp_path, bottleneck):
    weights = torchvision_weights(bottleneck)
    if bottleneck:  # a stage without a change of channels has no shortcut of its own only where the stride is 1
        assert "layer1.0.conv3.weight" in weights
    torch.save(weights, tmp_path / "resnet.pth")
    loaded = load_backbone(str(tmp_path / "resnet.pth"), NAMES)
    inputs = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found = loaded.network.eval().resnet(inputs).pooler_output.flatten(1)
    torch.testing.assert_close(found, torchvision_features(weights, inputs), atol=1e-4, rtol=1e-4)
    assert (loaded.preparation.size, loaded.preparation.mean[0]) == (224, 0.485)


def test_names_are_those_that_torchvision_documents():
    assert renamed("layer4.2.conv3.weight") == "resnet.encoder.stages.3.layers.2.layer.2.convolution.weight"
    assert renamed("layer2.0.downsample.1.running_var") == (
        "resnet.encoder.stages.1.layers.0.shortcut.normalization.running_var"
    )
    assert renamed("bn1.num_batches_tracked") == "resnet.embedder.embedder.normalization.num_batches_tracked"
    assert renamed("fc.bias") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"features.0.weight": torch.zeros(3)}, "of no ResNet"),
        ({"fc.weight": torch.zeros(3)}, "no ResNet"),
        ([1, 2], "no weights by name"),
        ({"trap": subprocess.Popen}, "no file of weights alone"),
        ({**torchvision_weights(False), "layer1.0.conv2.weight": torch.zeros(16, 8, 3, 3)}, "no plain ResNet"),
        ({n: w for n, w in torchvision_weights(False).items() if n != "layer2.0.bn1.bias"}, "not all of it"),
    ],
    ids=["AlexNet", "a head only", "a list", "code", "groups", "a weight missing"],
)
def test_files_that_hold_something_else(tmp_path, content, message):
    torch.save(content, tmp_path / "resnet.pth")
    with pytest.raises(InputError, match=message):
        read_torchvision(tmp_path / "resnet.pth")


def test_files_that_are_cut_short_or_not_there(tmp_path):
    torch.save(torchvision_weights(False), tmp_path / "resnet.pth")
    _cut(tmp_path / "resnet.pth")
    with pytest.raises(InputError, match="is damaged"):
        load_backbone(str(tmp_path / "resnet.pth"), NAMES)
    with pytest.raises(InputError, match="does not exist"):
        load_backbone(str(tmp_path / "nothing.pth"), NAMES)


def test_statistics_of_one_process_are_those_of_batch_normalisation(monkeypatch, network):
    """As `nn.BatchNorm2d` has them, outputs and gradients alike; two processes are compared with one elsewhere."""
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: None)
    shared = new_network(network.config, NAMES)
    shared.load_state_dict(network.state_dict())
    share_statistics(shared)
    assert sum(isinstance(module, SharedBatchNorm2d) for module in shared.modules()) == 6
    inputs = torch.randn(4, 3, 32, 32)
    for part in (network, shared):
        part.train()(inputs).square().sum().backward()
    for (name, one), (_, other) in zip(network.named_parameters(), shared.named_parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=1e-3, msg=name)
    for one, other in zip(network.buffers(), shared.buffers(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_embedded_backbone():
    found = load_backbone("embedded", NAMES)
    assert 1_000_000 < sum(param.numel() for param in found.network.parameters()) < 2_100_000
    assert found.preparation.size >= 32
    from_scratch = load_backbone("none", NAMES)
    assert from_scratch.preparation == found.preparation
    for (name, one), (_, other) in zip(
        found.network.named_parameters(), from_scratch.network.named_parameters(), strict=True
    ):
        assert one.shape == other.shape
        assert one.ndim == 1 or not torch.allclose(one, other, atol=0.01), name
