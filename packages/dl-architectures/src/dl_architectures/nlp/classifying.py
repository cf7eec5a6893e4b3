"""Sentiment by an encoder with a classification head."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dl_architectures.nlp.answers import SentimentAnswer, Weight, Working
from dl_architectures.nlp.engine import NetworkEngine, Outcome, Progress
from dl_architectures.nlp.requests import Request, Sentiment
from dl_architectures.nlp.spans import Span, groups, parts
from dl_shared.errors import InputError

PASSAGES = 64  # whose weights are measured, each by a pass through the network
BATCH = 16


class Classifier(NetworkEngine):
    """A sequence classifier of transformers; its tokenizer tells where tokens stand."""

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        """As declared. Labels come first; then how much each passage weighs, which may be cancelled by itself.

        A text that is too long is read in parts; its probabilities are the mean of theirs, by their number of tokens.
        The weight of a passage is what the log-odds of the label lose when it is cut out (Zeiler and Fergus 2014 do so
        with pictures), which takes the network as it is, and needs no gradients.
        """
        if not isinstance(request, Sentiment):
            raise InputError(f"{self.name} tells sentiments; choose another for this task")
        text = request.text
        cut = parts(text, self.tokenizer, self.max_length - self.tokenizer.num_special_tokens_to_add())
        if not cut:
            raise InputError(f"the tokenizer of {self.name} knows nothing of this text")
        tokens = sum(n for _, n in cut)
        shares = torch.tensor([n / tokens for _, n in cut])
        note = f"The text was read in {len(cut)} parts, as {self.name} takes {self.max_length} tokens."
        of_parts = []
        for batch in _batches([text[start:end] for (start, end), _ in cut]):
            if cancelled():
                return Outcome(answer=None, cancelled=True)
            of_parts.append(self._probabilities(batch))
        known = torch.cat(of_parts)
        whole = shares @ known
        label = int(whole.argmax())

        passages = [(n, span) for n, (part, _) in enumerate(cut) for span in groups(text, part, _each(len(cut)))]
        weights: list[Weight] = []
        stopped = False
        for batch in _batches(passages):
            if stopped := cancelled():
                break
            without = self._probabilities([_without(text, cut[n][0], span) for n, span in batch])
            for (n, (start, end)), row in zip(batch, without, strict=True):
                changed = whole[label] + shares[n] * (row[label] - known[n, label])
                value = _log_odds(float(whole[label])) - _log_odds(float(changed))
                weights.append(Weight(start=start, end=end, value=value))
            yield Working(done=len(weights), total=len(passages))
        return Outcome(answer=self._answer(whole, weights), cancelled=stopped, notes=(note,) if len(cut) > 1 else ())

    def _probabilities(self, texts: list[str]) -> Float[Tensor, "texts labels"]:
        inputs = self.tokenizer(texts, truncation=True, max_length=self.max_length, padding=True, return_tensors="pt")
        with self.turns, torch.inference_mode():
            logits = self.network(**inputs.to(self.network.device)).logits
        return logits.float().softmax(dim=-1).cpu()

    def _answer(self, probabilities: Float[Tensor, " labels"], weights: list[Weight]) -> SentimentAnswer:
        names = self.network.config.id2label
        told = [
            (str(names[n]).lower(), float(probabilities[n])) for n in probabilities.argsort(descending=True).tolist()
        ]
        return SentimentAnswer(
            label=told[0][0], confidence=told[0][1], probabilities=tuple(told), weights=tuple(weights)
        )


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    return (items[n : n + BATCH] for n in range(0, len(items), BATCH))


def _each(parts: int) -> int:
    """Passages of each part, so that all together are not many more than `PASSAGES`."""
    return max(1, PASSAGES // parts)


def _without(text: str, part: Span, passage: Span) -> str:
    return text[part[0] : passage[0]] + text[passage[1] : part[1]]


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-7), 1 - 1e-7)
    return math.log(bounded / (1 - bounded))
