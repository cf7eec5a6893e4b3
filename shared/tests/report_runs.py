"""Runs with everything that a report can show, and a reader of the pages made of them."""

import contextlib
from dataclasses import dataclass
from html.parser import HTMLParser

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dl_shared.config import TrainConfig
from dl_shared.runs import Run

VOID = {"meta", "img", "input", "rect", "line", "circle", "path", "br"}


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    epochs: int = 2
    batch_size: int = 8
    learning_rate: float = 0.003


class Page(HTMLParser):
    """Checks that tags nest, and collects tags, attributes and text."""

    def __init__(self, path):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], [], "", []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.text += data

    def links(self):
        return [value for _, name, value in self.attributes if name in ("href", "src", "action", "srcset", "data")]


def make_run(root, *, project="flax-cifar10", result=0.9, seed=0, fingerprint="ab" * 32, **options):
    """A finished run with everything that a report can show."""
    with Run.start(
        project,
        Config(seed=seed, **options),
        task="cifar10",
        framework="flax",
        primary="accuracy",
        runs_dir=root,
    ) as run:
        for epoch in (1, 2):
            run.log(step=epoch, epoch=epoch, split="validation", accuracy=result - 0.2 + epoch / 10, loss=1.0)
        run.update("data", source="sample", fingerprint=fingerprint, rows={"train": 800, "validation": 100, "test": 90})
        run.update(
            "metrics",
            validation={"accuracy": 0.91},
            test={
                "accuracy": result,
                "accuracy_ci": [result - 0.02, result + 0.01],
                "classes": {"cat": {"f1": 0.8, "f1_ci": [0.7, 0.9]}, "dog": {"f1": 0.6}},
            },
            baseline={"accuracy": 0.4},
            optimum={"accuracy": 0.95},
            gap_closed=(result - 0.4) / 0.55,
        )
        run.update("cost", train_seconds=341.0, compile_seconds=8.5, examples_per_second=1320.4, parameters=2_778_890)
    return run.path


def make_unfinished(root, error):
    started = Run.start("flax-cifar10", Config(), task="cifar10", framework="flax", primary="accuracy", runs_dir=root)
    with contextlib.suppress(type(error)), started as run:
        run.log(step=7, epoch=1, split="validation", accuracy=0.25, loss=1.5)
        run.log(step=14, epoch=2, split="validation", accuracy=0.5125, loss=1.25)
        raise error
    return started.path


def add_picture(run, name, caption):
    (run / "plots").mkdir(exist_ok=True)
    info = PngInfo()
    info.add_itxt("Description", caption)
    Image.new("RGB", (4, 3)).save(run / "plots" / f"{name}.png", pnginfo=info)
