"""Every network: shapes, gradients, parameters and operations as worked out by hand, and a batch learned by heart."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dl_architectures.cnn_compare.names import ARCHITECTURES, VARIANTS
from dl_architectures.cnn_compare.networks import make_network
from dl_architectures.cnn_compare.networks.alexnet import ResponseNorm
from dl_architectures.cnn_compare.networks.googlenet import AUXILIARY_WEIGHT
from dl_architectures.cnn_compare.networks.lenet import TABLE_I

GRAY, COLOUR = (1, 28), (3, 32)


def conv(size, before, after, side):
    """Products of a convolution whose output is a square."""
    return size * size * before * after * side * side


# Of images of 3 x 32 x 32 (LeNet: 1 x 28 x 28) and ten classes. Layer by layer, first to last.
PARAMETERS = {
    # The paper gives 156, 12, 1516, 32, 48120 and 10164 (section II.B); the output layer is ours.
    "lenet": 156 + 12 + 1_516 + 32 + 48_120 + 10_164 + 850,
    # The second to the fifth convolution are the paper's.
    "alexnet": 7_296 + 307_456 + 885_120 + 663_936 + 442_624 + 4_195_328 + 1_049_600 + 10_250,
    # Filters of configuration A and D (14,710,464 in D), two numbers of batch normalisation a channel, three layers.
    "vgg11": 9_217_728 + 2 * 2_752 + 2 * (512 * 512 + 512) + 5_130,
    "vgg16": 14_710_464 + 2 * 4_224 + 2 * (512 * 512 + 512) + 5_130,
    "resnet18": 11_173_962,
    # Option A, which has none for what goes past, has 0.27 million (Table 6); two projections make the difference.
    "resnet20": 432 + 6 * 2_304 + 4_608 + 5 * 9_216 + 18_432 + 5 * 36_864 + 512 + 2_048 + 2 * (7 * 16 + 7 * 32 + 7 * 64)
    + 650,
    # The paper's 22,855,952 (Table 3) with a layer for 10 classes in place of 1,000.
    "xception": 22_855_952 - 2_049_000 + 20_490,
}  # fmt: skip

PRODUCTS = {
    # C3 is computed as if all its maps were connected.
    "lenet": conv(5, 1, 6, 28) + conv(5, 6, 16, 10) + conv(5, 16, 120, 1) + 120 * 84 + 840,
    # And neighbouring maps are added up by a product with a band.
    "alexnet": conv(1, 96, 96, 32) + conv(1, 256, 256, 16) + conv(5, 3, 96, 32) + conv(5, 48, 256, 16)
    + conv(3, 256, 384, 8) + conv(3, 192, 384, 8) + conv(3, 192, 256, 8) + 4096 * 1024 + 1024 * 1024 + 10_240,
    "vgg16": conv(3, 3, 64, 32) + conv(3, 64, 64, 32) + conv(3, 64, 128, 16) + conv(3, 128, 128, 16)
    + conv(3, 128, 256, 8) + 2 * conv(3, 256, 256, 8) + conv(3, 256, 512, 4) + 2 * conv(3, 512, 512, 4)
    + 3 * conv(3, 512, 512, 2) + 2 * 512 * 512 + 5_120,
    "resnet18": conv(3, 3, 64, 32) + 4 * conv(3, 64, 64, 32)
    + sum(conv(3, f, 2 * f, s) + 3 * conv(3, 2 * f, 2 * f, s) + conv(1, f, 2 * f, s)
          for f, s in ((64, 16), (128, 8), (256, 4))) + 5_120,
}  # fmt: skip


def shape(name):
    return GRAY if name == "lenet" else COLOUR


def images(channels, side, count=2):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return {name: make_network(name, channels=shape(name)[0], classes=10) for name in VARIANTS}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(("channels", "side"), [GRAY, COLOUR])
def test_every_image_gets_logits_and_every_parameter_a_gradient(name, channels, side):
    network = make_network(name, channels=channels, classes=7)
    heads = network.heads(images(channels, side))
    assert [tuple(logits.shape) for _, logits in heads] == [(2, 7)] * len(heads)
    sum(weight * logits.square().sum() for weight, logits in heads).backward()
    assert not [name for name, param in network.named_parameters() if param.grad is None or not param.grad.any()]
    assert network.first.in_channels == channels


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_worked_out_by_hand(networks, name):
    assert sum(param.numel() for param in networks[name].parameters()) == PARAMETERS[name]


def test_an_inception_module_has_the_parameters_of_table_1(networks):
    """3a: 192 maps to 64, 96 then 128, 16 then 32, and 32 after pooling; two numbers of normalisation each."""
    filters = 192 * 64 + 192 * 96 + 9 * 96 * 128 + 192 * 16 + 25 * 16 * 32 + 192 * 32
    module = networks["googlenet"].inception["3a"]
    assert sum(param.numel() for param in module.parameters()) == filters + 2 * (64 + 96 + 128 + 16 + 32 + 32)


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_as_many_as_worked_out_by_hand(networks, name):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        networks[name].eval()(images(*shape(name)))
    assert counter.get_total_flops() == 2 * 2 * PRODUCTS[name]  # of two images, a product and a sum each


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_batch_is_learned_by_heart(name):
    torch.manual_seed(0)
    network, batch, labels = make_network(name, channels=1, classes=10), images(*GRAY, count=8), torch.arange(8)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.0)
    for _ in range(60):
        loss = sum(weight * F.cross_entropy(logits, labels) for weight, logits in network.heads(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if F.cross_entropy(network(batch), labels) < 0.05:
            break
    with torch.no_grad():
        assert (network(batch).argmax(1) == labels).all()


def test_auxiliary_classifiers_learn_and_do_not_answer(networks):
    network = networks["googlenet"].eval()
    batch = images(*COLOUR)
    with torch.no_grad():
        heads = network.heads(batch)
        assert [weight for weight, _ in heads] == [1.0, AUXILIARY_WEIGHT, AUXILIARY_WEIGHT]
        before = network(batch)
        for param in (*network.after_4a.parameters(), *network.after_4d.parameters()):
            param.zero_()
        assert torch.equal(network(batch), before)


def test_a_map_of_lenet_does_not_see_the_maps_that_table_i_leaves_out(networks):
    c3 = networks["lenet"].c3
    maps = torch.zeros(1, 6, 14, 14)
    rest = c3(maps)
    for number in range(6):
        changed = maps.clone()
        changed[:, number] = 1
        seen = (c3(changed) != rest).flatten(2).any(2)[0].tolist()
        assert seen == [number in looked_at for looked_at in TABLE_I]


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "lenet"])
def test_a_thin_network_has_a_share_of_the_channels(networks, name):
    thin = make_network(name, channels=3, classes=10, width=0.5)
    layers = zip(thin.modules(), networks[name].modules(), strict=True)
    shares = [one.out_channels / whole.out_channels for one, whole in layers if isinstance(one, nn.Conv2d)]
    assert all(share == pytest.approx(0.5, abs=0.2) for share in shares)
    assert 0.49 < sum(shares) / len(shares) < 0.56  # channels are multiples of eight
    assert thin(images(*COLOUR)).shape == (2, 10)


def test_alexnet_normalises_responses_as_torch_does():
    maps = images(12, 7).requires_grad_()
    ours, reference = ResponseNorm()(maps), nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)(maps)
    torch.testing.assert_close(ours, reference)
    grads = [torch.autograd.grad(normalised.square().sum(), maps)[0] for normalised in (ours, reference)]
    torch.testing.assert_close(*grads)
