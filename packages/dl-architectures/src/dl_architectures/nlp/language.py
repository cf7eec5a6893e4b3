"""Causal language models: the next word, a text continued, a conversation."""

import secrets
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from jinja2 import TemplateError

from dl_architectures.nlp.answers import NextWordAnswer, TextAnswer
from dl_architectures.nlp.decoding import Reader, sampler, write
from dl_architectures.nlp.engine import NetworkEngine, Outcome, Progress
from dl_architectures.nlp.names import MAX_SEED
from dl_architectures.nlp.requests import Chat, Generate, Message, NextWord, Request, Sampling
from dl_architectures.nlp.words import ROUNDS, Surfaces, next_words
from dl_shared.errors import InputError


class LanguageModel(NetworkEngine):
    """A causal language model of transformers; its tokenizer has a chat template if it can chat."""

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        match request:
            case NextWord():
                return self._next_word(request, cancelled)
            case Generate():
                return (yield from self._continue(self._prompt(request.text), request.sampling, cancelled))
            case Chat():
                ids, notes = self._conversation(request)
                return (yield from self._continue(ids, request.sampling, cancelled, notes))
        raise InputError(f"{self.name} is a language model; choose another for this task")

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text."""
        of_network = self.network.generation_config.eos_token_id
        ids = of_network if isinstance(of_network, list) else [of_network]
        return frozenset(token for token in (*ids, self.tokenizer.eos_token_id) if token is not None)

    @cached_property
    def surfaces(self) -> Surfaces:
        """How the tokens look; made once, as there may be many."""
        return Surfaces.of(self.tokenizer, self.network.get_output_embeddings().weight.shape[0])

    def _next_word(self, request: NextWord, cancelled: Callable[[], bool]) -> Outcome:
        # A token carries its space in front. A text read with a space at its end is like none that the model has seen.
        text = request.text.rstrip(" ")
        ids = self._ids(text)
        kept = ids[-(self.max_length - ROUNDS) :]
        notes = () if len(kept) == len(ids) else (f"Only the last {len(kept):,} of {len(ids):,} tokens were read.",)
        reader = Reader(self.network, self.turns)
        logits = reader.read_prompt(torch.tensor([kept]), cancelled)
        if logits is None:
            return Outcome(answer=None, cancelled=True)
        words = next_words(
            reader, logits, self.surfaces, count=request.count, spaced=text != request.text, cancelled=cancelled
        )
        if words is None:
            return Outcome(answer=None, cancelled=True)
        return Outcome(answer=NextWordAnswer(words=words), notes=notes)

    def _continue(
        self, ids: list[int], sampling: Sampling, cancelled: Callable[[], bool], notes: tuple[str, ...] = ()
    ) -> Progress:
        room = self.max_length - len(ids)
        if room < sampling.max_tokens:
            notes = (*notes, f"The model has room for {room:,} more tokens only.")
        seed = secrets.randbelow(MAX_SEED + 1) if sampling.seed is None else sampling.seed
        reader = Reader(self.network, self.turns)
        logits = reader.read_prompt(torch.tensor([ids]), cancelled)
        if logits is None:
            return Outcome(answer=None, cancelled=True)
        written = yield from write(
            reader,
            logits,
            sampler(sampling, seed),
            tokenizer=self.tokenizer,
            before=ids,
            ends=self.ends,
            limit=min(room, sampling.max_tokens),
            cancelled=cancelled,
        )
        answer = TextAnswer(text=written.text, tokens=written.tokens, seed=seed)
        return Outcome(answer=answer, cancelled=written.cancelled, notes=notes)

    def _prompt(self, text: str) -> list[int]:
        """The tokens of a text to be continued.

        Raises:
            InputError: if the model cannot read them all and write one more.
        """
        ids = self._ids(text)
        if len(ids) >= self.max_length:
            raise InputError(
                f"the text has {len(ids):,} tokens, and {self.name} reads fewer than {self.max_length:,};"
                " shorten the text or choose another model"
            )
        return ids

    def _ids(self, text: str) -> list[int]:
        ids = self.tokenizer(text, verbose=False).input_ids
        if not ids:
            raise InputError(f"the tokenizer of {self.name} knows nothing of this text")
        return ids

    def _conversation(self, request: Chat) -> tuple[list[int], tuple[str, ...]]:
        """The tokens of a conversation, whose oldest turns are left out where they leave no room; and a note of that.

        Raises:
            InputError: if not even the last message fits.
        """
        if not self.tokenizer.chat_template:
            raise InputError(f"{self.name} has no chat template, and cannot tell who speaks; choose another model")
        room = self.max_length - min(request.sampling.max_tokens, self.max_length // 4)
        kept: list[int] = []
        left_out = 0
        # From the end, so that no more is read than fits, however long the conversation. Templates want the user first.
        for first in reversed([n for n, message in enumerate(request.messages) if message.role == "user"]):
            ids = self._templated(request.system, request.messages[first:])
            if len(ids) > room:
                break
            kept, left_out = ids, first
        if not kept:
            raise InputError(
                f"the message and the system prompt have {len(ids):,} tokens, and {self.name} takes {room:,}; "
                "shorten them"
            )
        return kept, (f"The first {left_out} messages are forgotten: they no longer fit.",) if left_out else ()

    def _templated(self, system: str, messages: Sequence[Message]) -> list[int]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return self._apply([{"role": "system", "content": system}, *turns] if system else turns)
        except TemplateError:  # some models have no place for a system prompt
            if not system:
                raise
            first = {"role": turns[0]["role"], "content": f"{system}\n\n{turns[0]['content']}"}
            return self._apply([first, *turns[1:]])

    def _apply(self, turns: list[dict[str, str]]) -> list[int]:
        options = {"enable_thinking": False}  # known to templates of models that would think aloud first
        return self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=True, return_dict=True, **options
        )["input_ids"]
