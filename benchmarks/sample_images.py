"""How far apart a linear model, a small CNN and the optimum are on the sample images.

`python benchmarks/sample_images.py` needs PyTorch for the CNN: three convolutions of 16, 32 and 64 channels, 8 epochs,
random shifts, mirroring and holes.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dl_shared.baselines.pixels import pixel_probabilities
from dl_shared.tasks import cifar10

EPOCHS, BATCH, SHIFT, HOLE = 8, 64, 4, 8


def small_cnn(classes: int) -> nn.Module:
    """24,000 parameters; images `(n, 3, 32, 32)` to logits `(n, classes)`."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def augment(images: Tensor, rng: torch.Generator) -> Tensor:
    """Shift by up to 4 pixels, mirror half of the images, and blank out an 8 x 8 hole in each."""
    padded = F.pad(images, (SHIFT,) * 4, mode="reflect")
    out = torch.empty_like(images)
    size = images.shape[-1]
    for row, image in enumerate(padded):
        top, left = torch.randint(0, 2 * SHIFT + 1, (2,), generator=rng)
        out[row] = image[:, top : top + size, left : left + size]
        if torch.rand((), generator=rng) < 0.5:
            out[row] = out[row].flip(-1)
        top, left = torch.randint(0, size - HOLE + 1, (2,), generator=rng)
        out[row, :, top : top + HOLE, left : left + HOLE] = 0
    return out


def main() -> None:
    """Train for three seeds, and print the three figures of each."""
    for seed in range(3):
        torch.manual_seed(seed)
        rng = torch.Generator().manual_seed(seed)
        data = cifar10.load("sample", seed=seed)
        train, test = (
            torch.from_numpy(split.images).permute(0, 3, 1, 2).sub(128.0).div(64) for split in (data.train, data.test)
        )
        labels = torch.from_numpy(data.train.labels)
        model = small_cnn(len(data.class_names))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
        steps = EPOCHS * (len(train) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
        start = time.perf_counter()
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(train), generator=rng).split(BATCH)[: len(train) // BATCH]:
                loss = F.cross_entropy(model(augment(train[rows], rng)), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        seconds = time.perf_counter() - start
        model.eval()
        with torch.inference_mode():
            result = np.mean(model(test).argmax(1).numpy() == data.test.labels)
        linear = pixel_probabilities(data.train, data.test.images, len(data.class_names))
        baseline = np.mean(linear.argmax(axis=1) == data.test.labels)
        optimum = data.optimum["accuracy"]
        closed = (result - baseline) / (optimum - baseline)
        print(
            f"seed {seed}: baseline {baseline:.3f}, small CNN {result:.3f} after {seconds:.0f} s, "
            f"optimum {optimum:.3f}, gap closed {closed:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
