"""How much code a project is: the lines of its model and training, and of what the projects of its package share."""

import sys
import tokenize
from pathlib import Path

# A docstring is a statement that begins with a string; these stand in front of a statement.
_BEFORE_A_STATEMENT = {tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
_NO_CODE = {*_BEFORE_A_STATEMENT, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER}
# What users type, and what only starts several trainings: whether it was imported says nothing of the project.
_NO_TRAINING = {"cli", "config", "options", "__main__", "compare", "tune", "backtest"}


def count_lines(path: Path) -> int:
    """Lines that hold code: no blank ones, no comments, no docstrings."""
    lines: set[int] = set()
    statement_begins = True
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in _NO_CODE:
                statement_begins = statement_begins or token.type in _BEFORE_A_STATEMENT
                continue
            if not (statement_begins and token.type == tokenize.STRING):
                lines.update(range(token.start[0], token.end[0] + 1))
            statement_begins = False
    return len(lines)


def training_code(config_module: str) -> dict[str, int]:
    """`code_lines` and `shared_code_lines` of a project: of its own modules, and of those beside it in its package.

    Counted are the modules that this process has imported so far, so that a run asks when it ends: what it took is what
    trains. dl-shared counts for nobody.

    Args:
        config_module: where the project's configuration is defined, as `flax_projects.cifar10.config`.

    Returns:
        Nothing for a module that is in no project of a package, or whose source is not there to be read.
    """
    package, _, inside = config_module.partition(".")
    project = config_module.rpartition(".")[0]
    if "." not in inside:
        return {}
    lines = {"code_lines": 0, "shared_code_lines": 0}
    for name, module in list(sys.modules.items()):
        of_project = f"{name}.".startswith(f"{project}.")
        beside_it = name.rpartition(".")[0] == package and not hasattr(module, "__path__")
        file = getattr(module, "__file__", None)
        if file is None or not (of_project or beside_it) or name.rpartition(".")[2] in _NO_TRAINING:
            continue
        try:
            lines["code_lines" if of_project else "shared_code_lines"] += count_lines(Path(file))
        except (OSError, SyntaxError, tokenize.TokenError):  # within an archive, or compiled only
            return {}
    return lines
