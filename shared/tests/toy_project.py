"""A console script with the plainest of training loops, to test what all of them share."""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from dl_shared.cli import EvaluateOptions, EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.config import TrainConfig
from dl_shared.errors import InputError
from dl_shared.runs import Run


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    width: int = 3
    seconds_per_step: float = 0.0
    ballast: int = 0
    forgetful: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")


PRESETS = {
    "quick": Config(data="sample", epochs=4, batch_size=2),
    "full": Config(data="sample", epochs=400, batch_size=2, seconds_per_step=0.02),
}


def train(config, *, runs_dir=None, resume=None):
    from dl_shared.files import read_json, write_json  # here, because NumPy comes with it
    from dl_shared.report import write_page

    options = {"task": "toy", "framework": "none", "primary": "accuracy", "runs_dir": runs_dir, "resume": resume}
    with Run.start("toy", config, **options) as run:
        if config.data != "sample":
            raise InputError(f"{config.data} does not exist; try --data sample")
        checkpoint = run.checkpoints / "last.json"
        state = read_json(checkpoint) if checkpoint.exists() else {"step": 0, "total": 0}
        if run.resumed and config.forgetful:
            state["total"] = 0
        run.rewind(state["step"])
        begun = time.monotonic()
        with run.stopping_gracefully():
            for step in range(state["step"] + 1, config.epochs + 1):
                state = {"step": step, "total": state["total"] + step * config.width}
                run.log(step=step, epoch=step, split="train", loss=1 / step)
                time.sleep(config.seconds_per_step)
                write_json(checkpoint, {**state, "ballast": "x" * config.ballast * step})
                if step == 1:
                    print("started", flush=True)
                if run.stop_requested:
                    run.interrupt()
        run.update("metrics", test={"accuracy": 0.9, "accuracy_ci": [0.8, 0.95]}, baseline={"accuracy": 0.5})
        run.update("metrics", optimum={"accuracy": 1.0}, gap_closed=0.8)
        run.update("cost", total=state["total"], train_seconds=time.monotonic() - begun)
        write_page(run.path)
    return run.path


def evaluate(options):
    print("a line for the person watching")
    os.write(1, b"a line from a library in C++\n")
    if options.data == "bug":
        raise RuntimeError("ours")
    seed = json.loads(Path(options.run, "config.json").read_text())["seed"]
    return {"test": {"accuracy": 0.5 + seed}, "baseline": {"accuracy": 0.25}, "optimum": None, "gap_closed": None}


def predict(options):
    if options.data == "full-disk":
        Path("/dev/full").write_text("more than fits")
    return [{"label": "cat", "confidence": 0.9}, {"label": "dog", "confidence": 0.8}]


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    trials: int = 3
    json: bool = False


def search(config, options):
    return {"data": config.data, "width": config.width, "trials": options.trials}


main = console_script(
    "toy",
    "A toy.",
    TrainVerb(function="toy_project:train", presets=PRESETS),
    EvaluateVerb(function="toy_project:evaluate"),
    RecipeVerb(name="search", help="Search.", function="toy_project:search", options=SearchOptions, presets=PRESETS),
    Verb(name="predict", help="Predict.", function="toy_project:predict", options=EvaluateOptions),
)

if __name__ == "__main__":
    sys.exit(main())
