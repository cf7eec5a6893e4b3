"""The console script `dl-nlp-tool`: verbs and their options, nothing else."""

import sys
from dataclasses import dataclass
from typing import Any

from dl_architectures.nlp_tool.options import ModelsOptions, OpenOptions, RunTaskOptions
from dl_shared.cli import Verb, console_script

PACKAGE = "dl_architectures.nlp_tool"


@dataclass(frozen=True, kw_only=True)
class ToolVerb(Verb):
    """A verb that prints for a person by itself, while it works."""

    def show(self, result: Any) -> None: ...


main = console_script(
    "dl-nlp-tool",
    "Seven language tasks, with embedded models or those of the Hugging Face hub. With no verb: open the page.",
    ToolVerb(name="open", help="Open the page.", function=f"{PACKAGE}.terminal:open_page", options=OpenOptions),
    ToolVerb(name="run", help="Do one task here.", function=f"{PACKAGE}.terminal:run", options=RunTaskOptions),
    ToolVerb(
        name="models",
        help="List models, fetch one from the hub, or remove one.",
        function=f"{PACKAGE}.terminal:models",
        options=ModelsOptions,
    ),
    default="open",
)


if __name__ == "__main__":
    sys.exit(main(None))
