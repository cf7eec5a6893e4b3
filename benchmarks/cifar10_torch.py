"""How fast PyTorch trains the network of flax-cifar10's `cpu` preset, beside `benchmarks/flax_cifar10.py`.

    python benchmarks/cifar10_torch.py [--steps N] [--turns N] [--batch-size N]

The layers are the same (a 2 x 2 stem with 24 features that does not learn, three blocks of 64, 256 and 256), images are
channels_last, the optimizer is SGD with Nesterov momentum, and the images are random and not augmented. Rates are
medians over the turns; `of peak` is the share of what a large matrix product or convolution reaches.
"""

import argparse
import resource
import statistics
import time
from contextlib import nullcontext

import torch
from rows import add_machine, add_row
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torch_peak import matrix_peak

WIDTHS = (64, 256, 256)
STEM = 24


class Block(nn.Module):
    """Two convolutions; the first halves height and width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.norms[0](functional.max_pool2d(self.first(inputs), 2))
        features = functional.gelu(features, approximate="tanh")
        return functional.gelu(self.norms[1](self.second(features)), approximate="tanh")


class Network(nn.Module):
    """`(batch, 3, 32, 32)` to logits `(batch, 10)`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 2, bias=False).requires_grad_(False)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in zip((STEM, *WIDTHS), WIDTHS, strict=False)))
        self.classifier = nn.Linear(WIDTHS[-1], 10)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.gelu(self.stem(images), approximate="tanh")
        return self.classifier(self.blocks(features).amax((2, 3)))


def images_per_second(precision: str, steps: int, turns: int, batch_size: int) -> tuple[list[float], float]:
    """The rate of whole updates in each turn, after one step to warm up; and the operations for an image."""
    torch.manual_seed(0)
    model = Network().to(memory_format=torch.channels_last)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.01, momentum=0.9, nesterov=True)
    images = torch.randn(batch_size, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch_size,))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
            logits = model(images)
        optimizer.zero_grad()
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    rates = []
    for _ in range(turns):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        rates.append(steps * batch_size / (time.perf_counter() - start))
    return rates, counter.get_total_flops() / batch_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2, help="timed steps of each row and turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=500)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batches of {arguments.batch_size}")
    peaks = {precision: matrix_peak(precision) for precision in ("bf16", "fp32")}
    add_machine("cpu", torch.get_num_threads(), ["torch"], peaks)
    for precision in peaks:  # fp32 last: it needs the most memory, and the peak of memory never falls
        rates, flops = images_per_second(precision, arguments.steps, arguments.turns, arguments.batch_size)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kilobytes on Linux
        rate = statistics.median(rates)
        share = rate * flops / peaks[precision]
        print(
            f"channels_last, SGD, {precision}: {rate:.0f} images/s, {share:.1%} of peak, at most"
            f" {memory / 1e6:.0f} MB of memory",
            flush=True,
        )
        loop = "PyTorch, channels_last, SGD, not augmented"
        add_row("flax-cifar10", loop, "other", rates, "images/s", precision=precision, of_peak=share)


if __name__ == "__main__":
    main()
