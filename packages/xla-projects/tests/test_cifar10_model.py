"""The network: the same as eager PyTorch's, padded or not; found in folders, and what is said of others."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cifar10_tools import NAMES, TINY, write_tiny_backbone
from safetensors.torch import load_file, save_file
from scipy.special import softmax
from transformers import ResNetConfig, ResNetForImageClassification

from dl_shared.errors import InputError
from xla_projects.cifar10.augment import Pipeline
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.evaluation import Evaluation
from xla_projects.cifar10.model import Network, load_backbone
from xla_projects.cifar10.optimizer import LayerwiseRates
from xla_projects.device import compilations, start_device


@pytest.fixture
def folder(tmp_path):
    return write_tiny_backbone(tmp_path / "tiny")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, size=(300, 32, 32, 3)).astype(np.uint8)


def on_the_device(pretrained):
    device = start_device(Config())
    return Evaluation(device.to(pretrained.network), Pipeline(pretrained.preparation, 32, device), device)


def test_the_embedded_network_gives_the_logits_of_the_eager_one(images):
    pretrained = load_backbone("embedded", NAMES)
    eager = ResNetForImageClassification(pretrained.network.config).eval()
    eager.load_state_dict(pretrained.network.state_dict())
    preparation = pretrained.preparation
    pixels = torch.from_numpy(images[:20]).permute(0, 3, 1, 2) / 255
    enlarged = F.interpolate(pixels, size=(preparation.size,) * 2, mode="bilinear")
    mean, std = (torch.tensor(values)[:, None, None] for values in (preparation.mean, preparation.std))
    with torch.inference_mode():
        expected = eager((enlarged - mean) / std).logits.numpy()
    np.testing.assert_allclose(on_the_device(pretrained).logits(images[:20]), expected, atol=1e-4)


def test_padding_changes_no_score_and_no_number_of_pictures_compiles_again(folder, images):
    evaluation = on_the_device(load_backbone(str(folder), NAMES))
    whole = evaluation.logits(images)
    assert whole.shape == (300, 10)
    compiled = compilations()
    parts = [evaluation.logits(images[:7]), evaluation.logits(images[7:])]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert compilations() == compiled
    labels = np.arange(300) % 10
    scores = evaluation.scores(images, labels)
    probabilities = softmax(whole.astype(np.float64), axis=1)
    assert scores["accuracy"] == (whole.argmax(1) == labels).mean()
    assert scores["loss"] == pytest.approx(-np.log(probabilities[np.arange(300), labels]).mean())


def test_the_backbone_comes_under_a_new_head(folder):
    weights = load_file(folder / "model.safetensors")
    loaded = load_backbone(str(folder), NAMES, 64)
    assert (loaded.preparation.size, loaded.preparation.mean) == (64, (0.5, 0.4, 0.3))
    head = loaded.network.classifier[-1]
    assert head.out_features == 10
    for name, value in loaded.network.resnet.state_dict().items():
        assert torch.equal(value, weights[f"resnet.{name}"]), name
    seven = load_backbone(str(folder), NAMES[:7]).network.classifier[-1]
    assert not torch.allclose(seven.weight, weights["classifier.1.weight"]), "not that of other classes, if as many"


def test_from_scratch_the_shape_is_that_of_the_embedded_network():
    found, scratch = load_backbone("embedded", NAMES), load_backbone("none", NAMES)
    assert scratch.preparation == found.preparation
    for (name, one), (_, other) in zip(
        found.network.named_parameters(), scratch.network.named_parameters(), strict=True
    ):
        assert one.shape == other.shape
        assert one.ndim == 1 or not torch.allclose(one, other, atol=0.01), name


def rates_by_name(config, epoch, step):
    network = Network(ResNetConfig(**TINY, num_labels=10))
    rates = LayerwiseRates(network, config, steps_per_epoch=5)
    found = {
        id(param): (rate, group["weight_decay"])
        for rate, group in zip(rates.at(epoch, step), rates.groups, strict=True)
        for param in group["params"]
    }
    return {name: found[id(param)] for name, param in network.named_parameters()}


def test_stages_learn_slower_the_further_below_the_head():
    config = Config(learning_rate=1.0, layer_decay=0.5, weight_decay=0.1, warmup=0.1, epochs=2, head_epochs=0)
    rates = rates_by_name(config, 0, 0)
    assert rates["classifier.1.weight"] == pytest.approx((1.0, 0.1))
    assert rates["classifier.1.bias"] == pytest.approx((1.0, 0.0))
    assert rates["resnet.encoder.stages.1.layers.0.shortcut.convolution.weight"] == pytest.approx((0.5, 0.1))
    assert rates["resnet.encoder.stages.0.layers.0.layer.1.normalization.bias"] == pytest.approx((0.25, 0.0))
    assert rates["resnet.embedder.embedder.convolution.weight"] == pytest.approx((0.125, 0.1))


def test_at_first_the_head_learns_alone_and_from_scratch_all_layers_alike():
    config = Config(layer_decay=0.5, epochs=2, head_epochs=1)
    for epoch in (0, 1):
        for name, (rate, _) in rates_by_name(config, epoch, 1).items():
            assert (rate > 0) == (epoch == 1 or name.startswith("classifier")), name
    scratch = rates_by_name(Config(backbone="none", layer_decay=0.5), 0, 1)
    assert len({rate for rate, _ in scratch.values()}) == 1


def test_the_rate_rises_once_and_falls_to_next_to_nothing():
    network = Network(ResNetConfig(**TINY, num_labels=10))
    rates = LayerwiseRates(network, Config(learning_rate=1.0, warmup=0.2, epochs=2, head_epochs=0), steps_per_epoch=5)
    head = [rates.at(epoch, step).max() for epoch in range(2) for step in range(5)]
    assert head == pytest.approx([0.5, 1.0, *(step / 9 for step in range(8, 0, -1))])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: save_file({"vit.weight": torch.zeros(3)}, file, {"format": "pt"}), "do not fit its config.json"),
        (lambda file: file.write_bytes(file.read_bytes()[:1000]), "cannot be loaded"),
    ],
    ids=["of another network", "cut short"],
)
def test_weights_that_do_not_fit(folder, spoil, message):
    spoil(folder / "model.safetensors")
    with pytest.raises(InputError, match=message):
        load_backbone(str(folder), NAMES)


def test_a_file_of_weights_is_no_folder(tmp_path):
    (tmp_path / "resnet18.pth").write_bytes(b"")
    with pytest.raises(InputError, match="give the folder"):
        load_backbone(str(tmp_path / "resnet18.pth"), NAMES)
