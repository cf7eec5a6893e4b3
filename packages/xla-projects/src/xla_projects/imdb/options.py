"""Options of the verbs beside `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass

from dl_shared.tasks import options


@dataclass(frozen=True, kw_only=True)
class CompareOptions(options.CompareOptions):
    """Train several models under one recipe."""

    models: tuple[str, ...]
    """Names as for --model."""

    def __post_init__(self) -> None:
        if len(self.models) < 2 or len(set(self.models)) < len(self.models):
            raise ValueError("models must name two or more, each once")
