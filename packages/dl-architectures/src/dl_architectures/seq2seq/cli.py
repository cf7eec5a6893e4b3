"""The console script `dl-seq2seq`: flags made from the config, nothing else."""

import sys

from dl_architectures.seq2seq.config import PRESETS
from dl_architectures.seq2seq.options import CompareOptions, EvaluateSequences, PredictOptions
from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script

PACKAGE = "dl_architectures.seq2seq"

main = console_script(
    "dl-seq2seq",
    "An encoder-decoder with attention that reverses integer sequences.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateSequences),
    Verb(
        name="predict",
        help="Reverse sequences given on the command line.",
        function=f"{PACKAGE}.predict:predict",
        options=PredictOptions,
    ),
    RecipeVerb(
        name="compare",
        help="Train each attention under one budget; exact match beyond the lengths trained on.",
        function=f"{PACKAGE}.compare:compare",
        options=CompareOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
