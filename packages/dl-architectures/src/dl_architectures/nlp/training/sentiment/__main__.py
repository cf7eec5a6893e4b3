"""The command `python -m dl_architectures.nlp.training.sentiment`: flags made from the config, nothing else."""

import sys

from dl_architectures.nlp.training.sentiment.config import MODULE, PRESETS
from dl_shared.cli import TrainVerb, console_script

main = console_script(
    MODULE,
    "Fits the embedded sentiment classifier: a linear model on hashed n-grams.",
    TrainVerb(function=f"{MODULE}.fit:train", presets=PRESETS, help="Fit, test once, write model, card and report."),
)

if __name__ == "__main__":
    sys.exit(main(None))
