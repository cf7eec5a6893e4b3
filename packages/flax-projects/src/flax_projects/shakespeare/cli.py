"""The console script `flax-shakespeare`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, TrainVerb, Verb, console_script
from flax_projects.shakespeare.config import PRESETS
from flax_projects.shakespeare.options import CompareOptions, GenerateOptions

PACKAGE = "flax_projects.shakespeare"


class GenerateVerb(Verb):
    """A verb whose function has shown its results by the time it returns them."""

    def show(self, result: object) -> None:
        """Nothing is left to print."""


main = console_script(
    "flax-shakespeare",
    "Text generation by characters with LSTM, GRU or Transformer in Flax NNX.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate"),
    GenerateVerb(
        name="generate",
        help="Continue a text.",
        function=f"{PACKAGE}.predict:generate",
        options=GenerateOptions,
    ),
    Verb(
        name="compare",
        help="Train the models, or a model for each of several texts, under one budget.",
        function=f"{PACKAGE}.compare:compare",
        options=CompareOptions,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
