"""Train the picture model, judge what it draws, and write its card."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from jaxtyping import UInt8
from PIL import Image

from dl_architectures.devices import describe_device, find_device
from dl_architectures.nlp.training.cards import Card, Figure, command, write_card
from dl_architectures.nlp.training.pictures import networks
from dl_architectures.nlp.training.pictures.captions import SIZE, Data, load
from dl_architectures.nlp.training.pictures.config import MODULE, PRESETS, Config
from dl_architectures.nlp.training.pictures.judging import GUIDANCE, STEPS, draw, fit_judge, recognise, shares
from dl_architectures.nlp.training.pictures.stages import fit_autoencoder, fit_drawer, signal_to_noise
from dl_shared.data.backbones import explaining
from dl_shared.files import atomic_path
from dl_shared.plots.curves import training_curves
from dl_shared.plots.style import figure
from dl_shared.progress import say
from dl_shared.report import write_page
from dl_shared.runs import Run

SHEET = "samples.png"
COLUMNS = 10  # of the sheet


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, write the model, judge what was written; returns the run directory.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    with Run.start(
        MODULE,
        config,
        task="pictures",
        framework="pytorch",
        primary="recognised",
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        device = find_device(config.device)
        data = load(config.data, config.seed)
        rows = {"train": len(data.train), "test": len(data.test)}
        run.record_data(source=data.source, fingerprint=data.fingerprint, rows=rows)
        autoencoder, first_seconds = fit_autoencoder(config, data, run, device)
        drawer, tokenizer, seconds = fit_drawer(config, data, autoencoder, run, device)
        folder = Path(config.output) if config.output else run.path / "model"
        text_encoder, denoiser = drawer.average["text_encoder"], drawer.average["denoiser"]
        parts = [autoencoder, text_encoder, denoiser]
        run.update(
            "cost",
            train_seconds=first_seconds + seconds,
            parameters=sum(param.numel() for part in parts for param in part.parameters()),
            device=describe_device(device),
            precision=config.precision,
        )
        restored = signal_to_noise(autoencoder, data.test.images[::10], device)
        networks.export(folder, autoencoder, text_encoder, tokenizer, denoiser)
        report(run, config, folder, data, restored, device)
        say(f"the model is in {folder}")
    return run.path


def load_exported(folder: Path) -> Any:
    """What was exported, in single precision.

    Raises:
        InputError: if it cannot be read.
    """
    with explaining(f"the picture model in {folder}"):
        return DiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


def report(run: Run, config: Config, folder: Path, data: Data, restored: float, device: torch.device) -> None:
    """Judge drawings of what was written beside real pictures, draw sheet and curves, write card and page."""
    steps = config.autoencoder_steps + config.epochs * (len(data.train) // config.batch_size)
    judge = fit_judge(config, data, run, device, first=steps)
    labels = np.tile(np.arange(len(data.things)), config.drawn)
    pipeline = load_exported(folder).to(device)
    drawn = draw(pipeline, [data.things[label].title for label in labels], config.seed)
    test = shares(data.things, labels, recognise(judge, drawn, device))
    real = shares(data.things, data.test.labels, recognise(judge, data.test.images, device))
    metrics = {
        "test": test | {"psnr": restored},
        "baseline": {"name": "guessing", "recognised": 1 / len(data.things)},
        "real": real,
        "optimum": None,
    }
    run.update("metrics", **metrics)
    sheet = drawn[: len(data.things)]
    with atomic_path(folder / SHEET) as temporary:
        Image.fromarray(tiled(sheet)).save(temporary)
    caption = f"One drawing of each: {', '.join(thing.title for thing in data.things)}."
    run.save_figure(shown(sheet), "drawn", caption=caption)
    curves = training_curves(run.history(), {"loss": "loss (squared error of the velocity)"})
    run.save_figure(curves, "curves", caption="Loss of the denoiser over training.")
    write_card(folder, describe(config, run, data, metrics), run.summary["versions"])
    write_page(run.path)


def tiled(images: UInt8[np.ndarray, "n 32 32 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Pictures side by side, row by row."""
    rows = -(-len(images) // COLUMNS)
    filled = np.zeros((rows * COLUMNS, SIZE, SIZE, 3), np.uint8)
    filled[: len(images)] = images
    grid = filled.reshape(rows, COLUMNS, SIZE, SIZE, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * SIZE, COLUMNS * SIZE, 3)


def shown(images: UInt8[np.ndarray, "n 32 32 3"]) -> Any:
    """The sheet as a figure of the run's page."""
    fig, axis = figure("Drawings", width=9.0, height=1 + 0.9 * -(-len(images) // COLUMNS))
    axis.imshow(tiled(images), interpolation="nearest")
    axis.set_axis_off()
    return fig


def describe(config: Config, run: Run, data: Data, metrics: dict[str, Any]) -> Card:
    """The card, from what this run measured."""
    test, real, cost = metrics["test"], metrics["real"], run.summary["cost"]
    words = "; ".join(", ".join(thing.words) for thing in data.things)
    titles = {name: name.replace("_", " ") for name in real}
    return Card(
        title=f"A very small picture model: {len(data.things)} things in {SIZE} x {SIZE} pixels",
        metadata={"license": "other", "pipeline_tag": "text-to-image", "library_name": "diffusers"},
        about=(
            f"{cost['parameters'] / 1e6:.2f} million parameters in half precision, as a `StableDiffusionPipeline` of "
            f"diffusers: an autoencoder that makes pictures {config.factor} times smaller each way, a U-Net that "
            "predicts velocity, a text encoder of one layer, and steps by DDIM. There is no safety checker in it: it "
            "can draw nothing but what it knows."
        ),
        data=(
            f"{len(data.train):,} pictures of {data.source}, with made-up captions. MNIST is commonly distributed "
            "under CC BY-SA 3.0, Fashion-MNIST under the MIT licence, and for CIFAR-10 no licence is stated; take it "
            f"that the weights are under the same terms. Fingerprint {data.fingerprint[:16]}."
        ),
        command=command(MODULE, config, PRESETS["full"]),
        made=(
            f"{config.autoencoder_steps:,} steps of the autoencoder and {config.epochs} epochs of the denoiser in "
            f"{cost['train_seconds'] / 60:.0f} minutes ({cost['device']}, {cost['precision']})."
        ),
        libraries=("torch", "diffusers", "transformers"),
        measured_on=(
            f"{config.drawn * len(data.things):,} drawings ({STEPS} steps, guidance {GUIDANCE:g}), as a small "
            "classifier names them that learned from the same training pictures"
        ),
        baseline="real test pictures",
        figures=[
            *(Figure(name=f"{titles[name]}, share", value=test[name], beside=real[name]) for name in real),
            Figure(name="guessing, share", value=metrics["baseline"]["recognised"]),
            Figure(name="autoencoder, signal to noise in decibels", value=test["psnr"]),
        ],
        examples=f"One drawing of each, none chosen, in the order of the words below.\n\n![drawings]({SHEET})",
        limits=(
            f"It draws these things and nothing else: {words}. A prompt with none of these words gives a picture of "
            "anything. Animals and vehicles are seldom more than a coloured blur; colours, numbers and places in a "
            "prompt mean nothing to it."
        ),
    )
