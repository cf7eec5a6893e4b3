"""Summaries by an encoder-decoder."""

from collections.abc import Callable, Generator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dl_architectures.nlp.answers import Piece, SummaryAnswer, Working
from dl_architectures.nlp.decoding import Pick, Reader, write
from dl_architectures.nlp.engine import NetworkEngine, Outcome, Progress
from dl_architectures.nlp.names import SummaryLength
from dl_architectures.nlp.requests import Request, Summarise
from dl_architectures.nlp.spans import parts
from dl_shared.errors import InputError

TOKENS: dict[SummaryLength, tuple[int, int]] = {"short": (12, 48), "medium": (30, 110), "long": (60, 220)}
"""Of a summary, at least and at most."""
REPEATED = 3  # no run of so many tokens stands twice in a summary, as in BART's own settings


class Summariser(NetworkEngine):
    """An encoder-decoder of transformers, trained to summarise; its tokenizer tells where tokens stand."""

    def __init__(self, name: str, tokenizer: Any, network: Any, max_length: int) -> None:
        super().__init__(name, tokenizer, network, max_length)
        tasks = getattr(network.config, "task_specific_params", None) or {}
        self.prefix = (tasks.get("summarization") or {}).get("prefix", "")  # T5 is told what to do

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        """As declared. A text that is too long is summarised by parts, one summary after the other."""
        if not isinstance(request, Summarise):
            raise InputError(f"{self.name} summarises; choose another for this task")
        extra = len(self.tokenizer(self.prefix).input_ids)
        cut = parts(request.text, self.tokenizer, self.max_length - extra, whole_sentences=True)
        if not cut:
            raise InputError(f"the tokenizer of {self.name} knows nothing of this text")
        least, most = (-(-n // len(cut)) for n in TOKENS[request.length])
        texts: list[str] = []
        stopped = False
        for n, ((start, end), tokens) in enumerate(cut):
            if texts:
                yield Piece(text=" ")
            # A part of a few tokens only has no room for a summary longer than itself.
            limits = (min(least, tokens // 2), max(min(most, tokens), 8))
            text, stopped = yield from self._part(request.text[start:end], *limits, cancelled)
            texts.append(text)
            if stopped:
                break
            yield Working(done=n + 1, total=len(cut))
        answer = SummaryAnswer(text=" ".join(texts), spans=(), parts=len(cut)) if any(texts) else None
        note = f"The text was summarised in {len(cut)} parts, as {self.name} reads {self.max_length} tokens."
        return Outcome(answer=answer, cancelled=stopped, notes=(note,) if len(cut) > 1 else ())

    def _part(
        self, text: str, least: int, most: int, cancelled: Callable[[], bool]
    ) -> Generator[Piece, None, tuple[str, bool]]:
        """Summarise one part; returns the summary and whether it was cancelled."""
        inputs = self.tokenizer(self.prefix + text, truncation=True, max_length=self.max_length, return_tensors="pt")
        if cancelled():
            return "", True
        inputs = inputs.to(self.network.device)
        with self.turns, torch.inference_mode():
            encoded = self.network.get_encoder()(**inputs)
        reader = Reader(
            self.network, self.turns, {"encoder_outputs": encoded, "attention_mask": inputs["attention_mask"]}
        )
        config = self.network.generation_config
        begin = [config.decoder_start_token_id]
        forced = getattr(config, "forced_bos_token_id", None)
        if forced is not None:
            begin.append(forced)
        ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
        written = yield from write(
            reader,
            reader.read(torch.tensor([begin])),
            greedy(frozenset(ends), least),
            tokenizer=self.tokenizer,
            before=(),
            ends=frozenset(ends),
            limit=most,
            cancelled=cancelled,
        )
        return written.text, written.cancelled


def greedy(ends: frozenset[int], least: int) -> Pick:
    """Take the likeliest token that neither ends the text too early nor completes a run of `REPEATED` tokens again.

    Args:
        ends: tokens that end a text.
        least: tokens before it may end.
    """

    def pick(written: Int[Tensor, " written"], logits: Float[Tensor, " vocab"]) -> int:
        allowed = logits.clone()
        if len(written) < least:
            allowed[list(ends)] = -torch.inf
        if len(written) >= REPEATED:
            runs = written.unfold(0, REPEATED, 1)
            same = (runs[:, :-1] == written[-(REPEATED - 1) :]).all(dim=1)
            allowed[runs[same, -1]] = -torch.inf
        return int(allowed.argmax())

    return pick
