"""The verb `compare`: models under one recipe, on the same reviews."""

import dataclasses
from pathlib import Path

from dl_shared.errors import InputError
from dl_shared.tasks.imdb_comparison import Row, compare_runs
from dl_shared.tasks.variants import train_each
from xla_projects.imdb.config import Config
from xla_projects.imdb.options import CompareOptions
from xla_projects.imdb.train import train


def compare(config: Config, options: CompareOptions) -> list[Row]:
    """Train each model with the same options and seed; one row for each, see `compare_runs`.

    Raises:
        InputError: if a model or the data cannot be used, or two models have one name.
    """
    variants = {Path(model).name: dataclasses.replace(config, model=model) for model in options.models}
    if len(variants) < len(options.models):
        raise InputError("two of the models have one name; rename a folder")
    return compare_runs(train_each(train, variants, options.runs_dir), options.output)
