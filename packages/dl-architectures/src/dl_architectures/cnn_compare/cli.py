"""The console script `dl-cnn-compare`: flags made from the config, nothing else."""

import sys

from dl_architectures.cnn_compare.config import PRESETS
from dl_architectures.cnn_compare.options import EvaluateGrid, PredictOptions
from dl_shared.cli import EvaluateVerb, TrainVerb, Verb, console_script

PACKAGE = "dl_architectures.cnn_compare"

main = console_script(
    "dl-cnn-compare",
    "Six classic convolutional networks on three data sets, under one recipe.",
    TrainVerb(function=f"{PACKAGE}.grid:train", presets=PRESETS, help="Train all cells of the grid, and compare them."),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateGrid),
    Verb(
        name="predict",
        help="Classify image files.",
        function=f"{PACKAGE}.predict:predict",
        options=PredictOptions,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
