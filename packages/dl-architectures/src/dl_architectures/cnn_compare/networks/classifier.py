"""What all networks here have in common."""

from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "batch channels height width"]
Logits = Float[Tensor, "batch classes"]
Features = Float[Tensor, "batch features rows columns"]
Outputs = Float[Tensor, "batch out_features out_rows out_columns"]


class Classifier(nn.Module):
    """Images of 28 or 32 pixels, normalised, to logits.

    Args:
        channels: of an image, 1 or 3.
        classes: how many logits.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.channels, self.classes = channels, classes

    @property
    def first(self) -> nn.Conv2d:
        """The first convolution, whose filters can be looked at as pictures."""
        return next(module for module in self.modules() if isinstance(module, nn.Conv2d))

    def heads(self, images: Images) -> list[tuple[float, Logits]]:
        """What training learns from: logits, each with the weight of its loss; one of them, but in GoogLeNet."""
        return [(1.0, self(images))]


def thinned(features: int, width: float) -> int:
    """Channels of a layer at a share of the paper's width; a multiple of eight, as the paper's own are."""
    return max(8, 8 * round(width * features / 8))


class ConvNorm(nn.Sequential):
    """A convolution, batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167), and ReLU.

    Args:
        in_features: channels of the input.
        features: channels of the output.
        size: of the filters, odd; the picture is padded so that it keeps its size where the stride is 1.
        stride: of the filters.
    """

    def __init__(self, in_features: int, features: int, size: int, *, stride: int = 1) -> None:
        super().__init__(
            # No bias: batch normalisation has one.
            nn.Conv2d(in_features, features, size, stride=stride, padding=size // 2, bias=False),
            nn.BatchNorm2d(features),
            nn.ReLU(inplace=True),
        )


def initialise(network: nn.Module) -> None:
    """He's initial weights (He et al. 2015, arXiv:1502.01852) for what ReLU follows; biases begin as 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
