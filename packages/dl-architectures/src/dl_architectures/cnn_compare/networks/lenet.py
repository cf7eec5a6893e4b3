"""LeNet-5: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition", II.B."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dl_architectures.cnn_compare.networks.classifier import Classifier, Features, Images, Logits, Outputs

# Table I: which of the six maps of S2 each of the sixteen of C3 looks at.
TABLE_I = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 0), (5, 0, 1)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (3, 4, 5, 0), (4, 5, 0, 1), (5, 0, 1, 2)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)


def squash(sums: Tensor) -> Tensor:
    """A tanh that maps 1 to 1 and is nearly a line in between (the paper's Appendix A)."""
    return 1.7159 * torch.tanh(2 / 3 * sums)


class Subsampling(nn.Module):
    """S2 and S4: the mean of 2 x 2 pixels, times a coefficient of its map, plus a bias; then squashed."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: Features) -> Outputs:
        return squash(F.avg_pool2d(maps, 2) * self.coefficient + self.bias)


class PartlyConnected(nn.Module):
    """C3: each of sixteen maps looks at some of six with filters of 5 pixels, as Table I says."""

    outs: Tensor
    ins: Tensor

    def __init__(self) -> None:
        super().__init__()
        pairs = [(out, map_below) for out, maps in enumerate(TABLE_I) for map_below in maps]
        for name, numbers in zip(("outs", "ins"), zip(*pairs, strict=True), strict=True):
            self.register_buffer(name, torch.tensor(numbers), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(pairs), 5, 5))
        self.bias = nn.Parameter(torch.zeros(len(TABLE_I)))
        nn.init.uniform_(self.weight, -1, 1)
        fan_in = 25 * torch.tensor([len(TABLE_I[out]) for out, _ in pairs])
        self.weight.data.mul_(fan_in[:, None, None] ** -0.5)

    def forward(self, maps: Features) -> Outputs:
        filters = self.weight.new_zeros(len(TABLE_I), 6, 5, 5).index_put((self.outs, self.ins), self.weight)
        return F.conv2d(maps, filters, self.bias)


class LeNet(Classifier):
    """C1, S2, C3, S4, C5, F6 and the output layer.

    As in the paper, the outputs of S2, S4, C5 and F6 are squashed, and those of C1 and C3 are not.

    Departures:
        - Images of 28 pixels are padded to the paper's 32; colours are three input maps.
        - The output layer is linear with softmax, in place of distances to drawings of the digits, which other classes
          do not have.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, classes)
        self.c1 = nn.Conv2d(channels, 6, 5)
        self.s2, self.s4 = Subsampling(6), Subsampling(16)
        self.c3 = PartlyConnected()
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, classes)

    def forward(self, images: Images) -> Logits:
        margin = (32 - images.shape[-1]) // 2
        maps = self.s2(self.c1(F.pad(images, [margin] * 4)))
        maps = self.s4(self.c3(maps))
        features = squash(self.c5(maps)).flatten(1)
        return self.output(squash(self.f6(features)))
