"""How well drawings can be recognised, by a small classifier that learned from the pictures themselves."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from dl_architectures.nlp.training.loop import run_steps
from dl_architectures.nlp.training.pictures.captions import Data
from dl_architectures.nlp.training.pictures.config import Config
from dl_architectures.nlp.training.pictures.stages import BATCH, some_of, to_network
from dl_architectures.nlp.training.pictures.things import Thing
from dl_shared.data.draws import Draws
from dl_shared.runs import Run

STEPS, GUIDANCE = 20, 4.0  # of the drawings that are judged; the tool's defaults


class Judge(nn.Module):
    """Four convolutions; pictures are named by their thing's number."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (3, 32, 64, 96, 128)
        blocks = [
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=1 if before == 3 else 2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in itertools.pairwise(widths)
        ]
        self.features = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images: Float[Tensor, "n 3 32 32"]) -> Float[Tensor, "n classes"]:
        return self.head(self.features(images).mean(dim=(2, 3)))


def fit_judge(config: Config, data: Data, run: Run, device: torch.device, first: int) -> Judge:
    """Train it for a short while; it need not be a good one, only honest about what it takes for what."""
    torch.manual_seed(config.seed)
    model = Judge(len(data.things)).to(device)
    draws = Draws(len(data.train), config.batch_size, config.seed + 1)

    def loss_of(step: int) -> Tensor:
        epoch, place = divmod(step, draws.steps_per_epoch)
        rows = draws.batch(epoch, place) % len(data.train)
        labels = torch.from_numpy(data.train.labels[rows]).to(device)
        return F.cross_entropy(model(to_network(data.train.images[rows], device)), labels)

    def validate() -> dict[str, float]:
        named = recognise(model, some_of(data.test.images), device)
        model.train()
        return {"accuracy": float((named == some_of(data.test.labels)).mean())}

    run_steps(
        run,
        "judge",
        model,
        config,
        steps=config.judge_steps,
        epoch_steps=draws.steps_per_epoch,
        loss_of=loss_of,
        validate=validate,
        first=first,
        splits=("judge", "judge validation"),
    )
    return model


@torch.inference_mode()
def recognise(model: Judge, images: UInt8[np.ndarray, "n 32 32 3"], device: torch.device) -> Int[np.ndarray, " n"]:
    """The number of the thing that each picture is taken for."""
    model.eval()
    parts = [
        model(to_network(images[first : first + BATCH], device)).argmax(dim=1).cpu().numpy()
        for first in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts)


def draw(pipeline: Any, prompts: Sequence[str], seed: int) -> UInt8[np.ndarray, "n 32 32 3"]:
    """A picture of each prompt, as the tool draws it with its defaults."""
    pipeline.set_progress_bar_config(disable=True)
    parts = []
    for first in range(0, len(prompts), BATCH):
        random = torch.Generator().manual_seed(seed + first)
        with torch.inference_mode():
            drawn = pipeline(
                list(prompts[first : first + BATCH]),
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=random,
                output_type="np",
            ).images
        parts.append((drawn * 255).round().astype(np.uint8))
    return np.concatenate(parts)


def shares(things: Sequence[Thing], labels: Int[np.ndarray, " n"], named: Int[np.ndarray, " n"]) -> dict[str, float]:
    """Of pictures named rightly: in all, and of the things of each data set."""
    right = labels == named
    sets = np.array([thing.dataset for thing in things])[labels]
    return {"recognised": float(right.mean())} | {
        f"recognised_{name}": float(right[sets == name].mean()) for name in dict.fromkeys(sets.tolist())
    }
