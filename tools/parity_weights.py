"""The same weights in every framework: the same outputs, the same first loss, the same gradients?"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from networks.cases import Outcome, make_cases, read_outcomes, write_cases
from parity_programs import FailedError, Programs
from parity_tables import Table

TOLERANCE = 1e-5
"""Largest difference of outputs and loss, as a share of the largest number; float32 has rounding errors of 6e-8."""
GRADIENT_TOLERANCE = 1e-4
"""Of gradients, which are sums of thousands of terms that nearly cancel; a mistake would be a thousandth or more."""
REFERENCE = "float64"
PACKAGES = {
    REFERENCE: "architectures",
    "torch": "architectures",
    "lightning": "lightning",
    "accelerate": "accelerate",
    "flax": "flax",
    "xla": "xla",
}
"""In whose environment each framework is."""
TITLES = {
    REFERENCE: "PyTorch, float64",
    "torch": "PyTorch",
    "lightning": "Lightning",
    "accelerate": "Accelerate",
    "flax": "Flax",
    "xla": "PyTorch/XLA",
}


@dataclass(frozen=True)
class Comparison:
    """A network in a framework, beside the same in float64."""

    network: str
    framework: str
    computed_by: str
    """The class."""
    outputs: float
    """Largest difference of an output, as a share of the largest output."""
    first_loss: float
    loss_difference: float
    """As a share of the loss."""
    gradients: float
    """Largest difference of a gradient, as a share of the largest gradient of the same array; of the worst array."""
    worst_gradient: str
    """Which that is."""

    @property
    def unequal(self) -> list[str]:
        """What differs by more than rounding."""
        found = {"outputs": self.outputs > TOLERANCE, "loss": self.loss_difference > TOLERANCE}
        found[f"gradient of {self.worst_gradient}"] = self.gradients > GRADIENT_TOLERANCE
        return [name for name, differs in found.items() if differs]


def compare(network: str, framework: str, outcome: Outcome, reference: Outcome) -> Comparison:
    """Compare what a framework made of a network with what PyTorch does in float64."""
    names = [*reference.gradients, *(name for name in outcome.gradients if name not in reference.gradients)]
    worst, gradients = max(
        ((name, difference(outcome.gradients.get(name), reference.gradients.get(name))) for name in names),
        key=lambda found: found[1],
    )
    return Comparison(
        network,
        framework,
        outcome.network,
        difference(outcome.outputs, reference.outputs),
        outcome.loss,
        difference(np.array(outcome.loss), np.array(reference.loss)),
        gradients,
        worst,
    )


def difference(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Largest difference of two numbers, as a share of the largest of the other; infinite where they cannot be told."""
    if one is None or other is None or one.shape != other.shape:
        return math.inf
    gap, size = np.abs(one - other).max(), np.abs(other).max()
    share = float(gap / size) if size else float(gap > 0)
    return share if math.isfinite(share) else math.inf


def check(programs: Programs, folder: Path) -> tuple[Table, bool]:
    """Compute every network in every framework that has it; a table, and whether all are equal."""
    cases, outcomes, failures = folder / "cases.safetensors", {}, {}
    folder.mkdir(parents=True, exist_ok=True)
    write_cases(cases, make_cases())
    for framework, package in PACKAGES.items():
        script = Path(__file__).parent / "networks" / f"with_{framework}.py"
        answer = folder / f"{framework}.safetensors"
        try:
            programs.run(package, "python", script, cases, answer, log=f"networks-{framework}")
            outcomes[framework] = read_outcomes(answer)
        except FailedError as error:
            failures[framework] = str(error)
    return tabulate(outcomes, failures)


def tabulate(outcomes: dict[str, dict[str, Outcome]], failures: dict[str, str]) -> tuple[Table, bool]:
    """What each framework made of each network, and whether all of them made the same, and none failed."""
    reference = outcomes.pop(REFERENCE, {})
    rows, records, equal = [], [], not failures
    for network, expected in reference.items():
        rows.append([network, TITLES[REFERENCE], expected.network, "", f"{expected.loss:.7f}", "", "", "compared to"])
        for comparison in _comparisons(network, expected, outcomes):
            equal = equal and not comparison.unequal
            records.append(asdict(comparison) | {"equal": not comparison.unequal})
            rows.append(_row(comparison))
    notes = [
        "Differences from plain PyTorch in float64, as shares of the largest number; of the gradients, those of the"
        f" array that is furthest off. Outputs and losses count as equal up to {TOLERANCE:g}, gradients up to"
        f" {GRADIENT_TOLERANCE:g}."
    ]
    notes += [f"{TITLES[framework]} failed: {reason}" for framework, reason in failures.items()]
    columns = ("network", "framework", "computed by", "outputs", "first loss", "difference", "gradients", "")
    records += [{"framework": framework, "failed": reason} for framework, reason in failures.items()]
    return Table("weights", columns, rows, notes, records), equal


def _comparisons(network: str, expected: Outcome, outcomes: dict[str, dict[str, Outcome]]) -> Iterator[Comparison]:
    for framework, found in outcomes.items():
        if network in found:
            yield compare(network, framework, found[network], expected)


def _row(found: Comparison) -> list[str]:
    differences = [f"{share:.1e}" for share in (found.outputs, found.loss_difference, found.gradients)]
    verdict = f"differs: {', '.join(found.unequal)}" if found.unequal else "equal"
    loss = f"{found.first_loss:.7f}"
    return [found.network, TITLES[found.framework], found.computed_by, differences[0], loss, *differences[1:], verdict]
