"""Pre-train a small ResNet on labelled pictures, and write it as a folder of the hub's layout."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from transformers import ResNetConfig

from accelerate_projects.cifar10.augment import Pipeline
from accelerate_projects.cifar10.config import PretrainConfig
from accelerate_projects.cifar10.model import Pretrained, export, load_exported, load_trained, new_network
from accelerate_projects.cifar10.train import PROJECT, predict_probabilities, run_loop
from accelerate_projects.processes import make_accelerator, start_run
from dl_shared.data.image_sets import PICTURES
from dl_shared.data.picture_backbones import Preparation
from dl_shared.metrics.classification import score
from dl_shared.paths import user_path
from dl_shared.plots.curves import training_curves
from dl_shared.progress import say
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.tasks import cifar10

VALIDATION_FRACTION = 0.02
TOP = 5


def pretrain(config: PretrainConfig, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train from random weights, write the backbone, test what was written; returns the run directory.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    accelerator = make_accelerator(config)
    with start_run(
        accelerator,
        PROJECT,
        config,
        task="pre-training",
        framework="accelerate",
        primary="accuracy",
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = cifar10.load(config.data, seed=config.seed, dataset=PICTURES, validation_fraction=VALIDATION_FRACTION)
        cifar10.record_data(run, data)
        torch.manual_seed(config.seed)
        run_loop(config, untrained(config, data), data, run, accelerator)
        if run.follows:
            raise SystemExit(0)
        folder = user_path(config.output) if config.output else run.path / "backbone"
        export(folder, load_trained(run.path))
        exported = load_exported(folder)
        pipeline = Pipeline(exported.preparation, config, accelerator.device)
        network = exported.on(accelerator.device)
        report(run, data, predict_probabilities(network, pipeline, data.test.images))
        say(f"the backbone is in {folder}")
    return run.path


def untrained(config: PretrainConfig, data: cifar10.Data) -> Pretrained:
    """The network before its first update; pictures are prepared by the mean and deviation of the training pictures."""
    shape = ResNetConfig(
        embedding_size=config.embedding_size,
        hidden_sizes=list(config.hidden_sizes),
        depths=list(config.depths),
        layer_type="basic",
    )
    pixels = data.train.images[:: max(1, len(data.train) // 5000)] / 255
    preparation = Preparation(config.image_size, _rounded(pixels.mean((0, 1, 2))), _rounded(pixels.std((0, 1, 2))))
    return Pretrained(new_network(shape, data.class_names), preparation)


def _rounded(values: Float[np.ndarray, " 3"]) -> tuple[float, float, float]:
    red, green, blue = (round(float(value), 3) for value in values)
    return red, green, blue


def report(run: Run, data: cifar10.Data, probabilities: Float[np.ndarray, "test classes"]) -> dict[str, Any]:
    """Score the test pictures, with the most frequent class as baseline; draw the curves, and write the run's page."""
    test = score(data.test.labels, probabilities, data.class_names, top_k=TOP)
    del test["per_class"]
    guess = largest_share(data.test.labels)
    metrics = {
        "test": test,
        "baseline": {"name": "the most frequent class", "accuracy": guess},
        "optimum": data.optimum,
    }
    run.update("metrics", **metrics)
    axes = {"loss": "loss (nats)", "accuracy": "accuracy (share of pictures)"}
    curves = training_curves(run.history(), axes, references={"accuracy": {"baseline": guess}})
    run.save_figure(curves, "curves", caption="Loss and accuracy over pre-training; training pictures are augmented.")
    write_page(run.path)
    return metrics


def largest_share(labels: Int[np.ndarray, " n"]) -> float:
    """Share of the most frequent class."""
    return float(np.bincount(labels).max() / len(labels))
