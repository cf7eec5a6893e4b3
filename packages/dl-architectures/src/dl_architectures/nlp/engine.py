"""What every loaded model has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from dl_architectures.nlp.answers import Answer, Piece, Preview, Working
from dl_architectures.nlp.requests import Request
from dl_architectures.nlp.turns import Turns


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an answer ended; see `Finished`."""

    answer: Answer | None
    cancelled: bool = False
    notes: tuple[str, ...] = ()


Progress = Generator[Piece | Working | Preview, None, Outcome]


class Engine(ABC):
    """A model in memory that answers requests, those of several sessions at once.

    What one answer needs is kept in its generator; what is shared, the weights, does not change. Each pass through the
    network is one of the `turns`, so that sessions advance token by token, side by side.

    Attributes:
        name: the model's id.
        bytes: of its weights, as they are in memory.
        turns: to be entered for each pass.
    """

    def __init__(self, name: str, bytes: int) -> None:
        self.name = name
        self.bytes = bytes
        self.turns = Turns()

    @abstractmethod
    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        """Answer a request of a task that this model can do.

        Args:
            request: what to do.
            cancelled: asked between tokens or steps.

        Raises:
            InputError: from the generator, if the request does not fit the model.
        """


class NetworkEngine(Engine):
    """A network of transformers and its tokenizer.

    Args:
        name: the model's id.
        tokenizer: of the network.
        network: in evaluation mode.
        max_length: tokens that the network reads at most, special ones included.
    """

    def __init__(self, name: str, tokenizer: Any, network: Any, max_length: int) -> None:
        super().__init__(name, sum(param.numel() * param.element_size() for param in network.parameters()))
        self.tokenizer, self.network, self.max_length = tokenizer, network, max_length
