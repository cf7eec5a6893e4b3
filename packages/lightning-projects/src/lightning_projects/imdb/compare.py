"""The verb `compare`: models, or kinds of preprocessing, under one recipe, on the same reviews."""

import dataclasses
from itertools import product
from pathlib import Path

from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.tasks.imdb_comparison import Row, compare_runs
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.options import CompareOptions
from lightning_projects.imdb.train import train


def variants(config: Config, options: CompareOptions) -> list[tuple[str, Config]]:
    """What to train, and what each is called: by its model, its preprocessing, or both."""
    models = options.models or (config.model,)
    kinds = options.preprocessings or (config.preprocess,)
    named = []
    for model, kind in product(models, kinds):
        names = [Path(model).name] if len(models) > 1 or len(kinds) == 1 else []
        names += [kind] if len(kinds) > 1 else []
        named.append((", ".join(names), dataclasses.replace(config, model=model, preprocess=kind)))
    if len({name for name, _ in named}) < len(named):
        raise InputError("two of the models have one name; rename a folder")
    return named


def compare(config: Config, options: CompareOptions) -> list[Row]:
    """Train each variant with the same options and seed; one row for each, see `compare_runs`.

    Raises:
        InputError: if a model or the data cannot be used.
    """
    runs: dict[str, Path] = {}
    for name, variant in variants(config, options):
        say(name)
        runs[name] = train(variant, runs_dir=options.runs_dir)
    return compare_runs(runs, options.output)
