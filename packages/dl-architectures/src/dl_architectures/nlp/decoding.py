"""How a network writes: reading tokens, drawing the next, and turning them into pieces of text."""

import inspect
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dl_architectures.nlp.answers import Piece
from dl_architectures.nlp.requests import Sampling
from dl_architectures.nlp.turns import Turns

BLOCK = 512  # tokens of a prompt that are read at a time, between which a session can stop or wait
COLDEST = 1e-3  # below, logits divided by the temperature would overflow, and the likeliest token is as good as sure
UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what a tokenizer writes for the first bytes of a character

Pick = Callable[[Int[Tensor, " written"], Float[Tensor, " vocab"]], int]


class Reader:
    """A network that reads texts, token by token, and says what may come next.

    Its memory of them (the keys and values of attention) is its own; the network is shared.

    Args:
        network: a causal language model of transformers, or an encoder-decoder whose source has been encoded.
        turns: of the network.
        source: of an encoder-decoder: `encoder_outputs` and `attention_mask`.
    """

    def __init__(self, network: Any, turns: Turns, source: dict[str, Any] | None = None) -> None:
        self._network, self._turns = network, turns
        self._options = dict(source or {}, use_cache=True)
        self._input = "input_ids" if source is None else "decoder_input_ids"
        if "logits_to_keep" in inspect.signature(network.forward).parameters:
            self._options["logits_to_keep"] = 1  # those of a whole prompt would fill the memory
        self._cache: Any = None
        self._seen: Int[Tensor, "batch tokens"] | None = None

    def read(self, input_ids: Int[Tensor, "batch new"]) -> Float[Tensor, "batch vocab"]:
        """Read on, and return the logits of the next token, on the CPU."""
        self._seen = input_ids if self._seen is None else torch.cat([self._seen, input_ids], dim=1)
        # A network that keeps no cache reads all again.
        new = self._seen if self._cache is None else input_ids
        with self._turns, torch.inference_mode():
            inputs = {self._input: new.to(self._network.device), "past_key_values": self._cache}
            output = self._network(**inputs, **self._options)
            self._cache = getattr(output, "past_key_values", None)
            return output.logits[:, -1].float().cpu()

    def read_prompt(
        self, input_ids: Int[Tensor, "1 tokens"], cancelled: Callable[[], bool]
    ) -> Float[Tensor, "1 vocab"] | None:
        """Read a prompt, in blocks; None if it was cancelled between two."""
        logits = None
        for block in input_ids.split(BLOCK, dim=1):
            if cancelled():
                return None
            logits = self.read(block)
        return logits

    def select(self, rows: Int[Tensor, " selected"]) -> None:
        """Go on with these rows of the batch, of which some may be taken more than once."""
        assert self._seen is not None
        self._seen = self._seen[rows]
        if self._cache is not None:
            self._cache.reorder_cache(rows.to(self._network.device))


def sampler(sampling: Sampling, seed: int) -> Pick:
    """Draw the next token as asked: softmax at a temperature, cut to the nucleus (Holtzman et al. 2020, section 3.1).

    Args:
        sampling: temperature and top-p.
        seed: of the draws; the CPU's generator, so that it gives the same text on any device.
    """
    generator = torch.Generator().manual_seed(seed)

    def pick(written: Int[Tensor, " written"], logits: Float[Tensor, " vocab"]) -> int:
        if sampling.temperature < COLDEST:
            return int(logits.argmax())
        probabilities, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(descending=True)
        before = probabilities.cumsum(-1) - probabilities  # 0 for the likeliest, which is always kept
        nucleus = torch.where(before < sampling.top_p, probabilities, 0.0)
        return int(order[torch.multinomial(nucleus, 1, generator=generator)])

    return pick


@dataclass(frozen=True)
class Written:
    """A text that was written, to its end or as far as it got."""

    text: str
    tokens: int
    cancelled: bool


def write(
    reader: Reader,
    logits: Float[Tensor, "1 vocab"],
    pick: Pick,
    *,
    tokenizer: Any,
    before: Sequence[int],
    ends: frozenset[int],
    limit: int,
    cancelled: Callable[[], bool],
) -> Generator[Piece, None, Written]:
    """Write token by token, until the text ends, is long enough or is cancelled.

    Args:
        reader: that has read what comes before.
        logits: of the first token.
        pick: chooses a token, given those written and the logits of the next.
        tokenizer: makes text of them.
        before: the last tokens before the text, which may decide whether it begins with a space.
        ends: tokens that end a text.
        limit: at most so many tokens.
        cancelled: asked before each token.
    """
    pieces = Pieces(tokenizer, before)
    written: list[int] = []
    text = []
    stopped = False
    while len(written) < limit and not (stopped := cancelled()):
        token = pick(torch.tensor(written, dtype=torch.long), logits[0])
        if token in ends:
            break
        written.append(token)
        if piece := pieces.add(token):
            text.append(piece)
            yield Piece(text=piece)
        if len(written) < limit:
            logits = reader.read(torch.tensor([[token]]))
    if rest := pieces.rest():
        text.append(rest)
        yield Piece(text=rest)
    return Written("".join(text), len(written), stopped)


class Pieces:
    """Text from tokens that arrive one by one, each piece given out once it cannot change any more.

    A character may take several tokens, and a token's space may depend on the one before it. Therefore a short window
    is decoded with and without what is new in it, and the difference is the piece.

    Args:
        tokenizer: of transformers.
        before: tokens in front of the text.
    """

    def __init__(self, tokenizer: Any, before: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._window = list(before)[-4:]
        self._given = len(self._window)

    def add(self, token: int) -> str:
        """The text that a further token makes certain; empty while a character is incomplete."""
        self._window.append(token)
        piece = self._new()
        if not piece or piece.endswith(UNFINISHED):
            return ""
        self._window, self._given = self._window[self._given :], len(self._window) - self._given
        return piece

    def rest(self) -> str:
        """What is left at the end."""
        return self._new()

    def _new(self) -> str:
        whole, given = (
            self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            for ids in (self._window, self._window[: self._given])
        )
        return whole[len(given) :]
