"""Layers against numbers worked out by hand, and what is true of every network."""

import math

import pytest
import torch
import torch.nn.functional as F

from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.model import (
    BatchNorm,
    Block,
    Network,
    WhiteningStem,
    mirrored_too,
    whitening_filters,
)
from lightning_projects.cifar10.module import Classifier, batch_sums
from lightning_projects.exact import Tally


def tiny(**options):
    return Config(**{"widths": (32, 40), "precision": "fp32", "batch_size": 20, "dropout": 0.0, "data": "", **options})


def network(config):
    torch.manual_seed(0)
    net = Network(config, classes=10)
    net.stem.filters.copy_(whitening_filters(torch.randn(300, 3, 32, 32), 2 * config.stem_stride))
    return net


@pytest.fixture
def batch():
    torch.manual_seed(3)
    return torch.randn(20, 3, 32, 32), torch.arange(20) % 10


def test_the_stem_by_hand():
    """One filter that averages red over a patch of 2 x 2, taken with both signs."""
    stem = WhiteningStem(1)
    stem.filters[0, 0] = 0.25
    outputs = stem(torch.arange(9.0).reshape(1, 1, 3, 3).expand(1, 3, 3, 3))
    assert outputs.shape == (1, 24, 2, 2)
    assert outputs[0, 0].tolist() == [[2, 3], [5, 6]]
    assert outputs[0, 12].tolist() == [[-2, -3], [-5, -6]]


def test_whitened_patches_are_uncorrelated_with_unit_variance():
    torch.manual_seed(0)
    images = torch.randn(400, 3, 8, 8)
    images[:, 1:] += 0.9 * images[:, :-1]  # channels alike
    filters = whitening_filters(images, 2, epsilon=0.0)
    responses = F.conv2d(images, filters, stride=2).movedim(1, 0).flatten(1)
    torch.testing.assert_close(responses.cov(), torch.eye(12), atol=1e-4, rtol=0)


def test_batch_normalisation_by_hand_and_its_running_statistics():
    norm = BatchNorm(1)
    with torch.no_grad():
        norm.bias.fill_(10)
    outputs = norm(torch.tensor([4.0, 8]).reshape(2, 1, 1, 1))
    torch.testing.assert_close(outputs.flatten(), torch.tensor([9.0, 11]), atol=1e-4, rtol=0)
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.4 * 6]))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.6 + 0.4 * 8]))  # unbiased: ((-2)^2 + 2^2) / 1


@pytest.mark.parametrize(("depth", "expected"), [(2, 8.0), (3, 8.0 + 8.0)])
def test_a_block_of_identities_by_hand(depth, expected):
    """Filters begin as the identity: what is left is the largest of four, and the skip connection's addition."""
    block = Block(1, 1, depth=depth, activation="relu").eval()
    inputs = torch.tensor([[1.0, 8, -1, -2], [3, 4, -3, -4]]).reshape(1, 1, 2, 4)
    torch.testing.assert_close(block(inputs).flatten(), torch.tensor([expected, 0]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("stem_stride", [1, 2])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_every_parameter_learns_and_the_untrained_loss_is_that_of_guessing(depth, stem_stride, activation, batch):
    net = network(tiny(depth=depth, stem_stride=stem_stride, activation=activation))
    inputs, labels = batch
    logits = net(inputs)
    assert logits.shape == (20, 10)
    loss = F.cross_entropy(logits, labels)
    assert abs(loss.item() - math.log(10)) < 0.1
    loss.backward()
    learned = {name: param.grad for name, param in net.named_parameters() if param.requires_grad}
    assert len(learned) == 2 * 2 * depth + 1
    for name, gradient in learned.items():
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0, name


@pytest.mark.parametrize("depth", [2, 3])
def test_one_batch_is_learned_by_heart(depth, batch):
    config = tiny(depth=depth, learning_rate=20.0, bias_factor=1.0, label_smoothing=0.0, warmup=0.0)
    module = Classifier(config, network(config), total_steps=60)
    optimizer = module.configure_optimizers()["optimizer"]
    inputs, labels = batch
    for _ in range(60):
        loss = F.cross_entropy(module(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (module(inputs).argmax(1) == labels).all()
    assert loss.item() < 0.1


def test_dropout_is_on_in_training_only(batch):
    net = network(tiny(dropout=0.5))
    net.eval()
    assert torch.equal(net(batch[0]), net(batch[0]))
    net.train()
    assert not torch.equal(net(batch[0]), net(batch[0]))


def test_bfloat16_gives_nearly_the_same_logits_in_float32(batch):
    net = network(tiny()).eval()
    full = net(batch[0])
    with torch.autocast("cpu", torch.bfloat16):
        half = net(batch[0])
    assert half.dtype == torch.float32
    assert 0 < (full - half).abs().max() < 0.05 * full.abs().max()


def test_a_prediction_is_that_of_the_image_and_of_its_mirror_image(batch):
    net = network(tiny()).eval()
    both = mirrored_too(net, batch[0])
    torch.testing.assert_close(both, mirrored_too(net, batch[0].flip(3)))
    torch.testing.assert_close(both, (net(batch[0]) + net(batch[0].flip(3))) / 2)


def test_the_tally_of_ragged_batches_is_the_mean_over_all():
    torch.manual_seed(0)
    logits, labels = torch.randn(37, 10), torch.arange(37) % 10
    tally = Tally(3)
    for rows in torch.arange(37).split(8):
        tally.add(batch_sums(F.cross_entropy(logits[rows], labels[rows]), logits[rows], labels[rows]))
    means = Classifier.scores(tally.sums)
    torch.testing.assert_close(means["loss"].float(), F.cross_entropy(logits, labels))
    assert means["accuracy"].item() == pytest.approx((logits.argmax(1) == labels).float().mean().item())


def test_the_schedule_by_hand():
    module = Classifier(tiny(warmup=0.25), network(tiny()), total_steps=100)
    shares = [module.share_of_peak(step) for step in (0, 25, 100)]
    assert shares == pytest.approx([0.2, 1, 0.07])
    assert module.share_of_peak(5) == pytest.approx(0.2 + 0.8 / 5)


def test_the_rate_is_that_of_the_batch_and_biases_learn_faster():
    config = tiny(batch_size=512, learning_rate=2.0, bias_factor=16.0)
    groups = Classifier(config, network(config), 10).configure_optimizers()["optimizer"].param_groups
    filters, biases = ({"lr": group["initial_lr"], "decay": group["weight_decay"]} for group in groups)
    assert filters["lr"] == 1.0
    assert biases["lr"] == 16.0
    assert filters["lr"] * filters["decay"] == pytest.approx(biases["lr"] * biases["decay"])
