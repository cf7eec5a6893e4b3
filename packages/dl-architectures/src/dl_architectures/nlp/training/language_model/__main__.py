"""The command `python -m dl_architectures.nlp.training.language_model`: flags made from the config, nothing else."""

import sys

from dl_architectures.nlp.training.language_model.config import MODULE, PRESETS
from dl_shared.cli import TrainVerb, console_script

main = console_script(
    MODULE,
    "Trains the embedded language model: sub-words, a few layers in Llama's layout.",
    TrainVerb(
        function=f"{MODULE}.train:train", presets=PRESETS, help="Train, test once, write model, card and report."
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
