"""Questions answered by an encoder that points at the answer in the text."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dl_architectures.nlp.answers import QuestionAnswer, Working
from dl_architectures.nlp.engine import NetworkEngine, Outcome, Progress
from dl_architectures.nlp.requests import Question, Request
from dl_shared.errors import InputError

LONGEST_ANSWER = 40  # tokens
OVERLAP = 96  # tokens of two windows on the text, more than an answer's
BATCH = 8
MOST_OF_QUESTION = 0.5  # of what the model reads


class QuestionReader(NetworkEngine):
    """An extractive question answerer of transformers; its tokenizer tells where tokens stand."""

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        """As declared. The text is read in windows that overlap; the best span of all is the answer.

        A span is found if its score, start plus end, exceeds that of the first token, which stands for "not in the
        text" (Devlin et al. 2019, section 4.3).
        """
        if not isinstance(request, Question):
            raise InputError(f"{self.name} answers questions about a text; choose another for this task")
        asked = len(self.tokenizer(request.question, add_special_tokens=False, verbose=False).input_ids)
        if asked > MOST_OF_QUESTION * self.max_length:
            raise InputError(
                f"the question has {asked} tokens, and {self.name} reads {self.max_length}; ask in fewer words"
            )
        windows = self.tokenizer(
            request.question,
            request.context,
            truncation="only_second",
            max_length=self.max_length,
            stride=min(OVERLAP, self.max_length // 4),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        offsets = windows.pop("offset_mapping")
        windows.pop("overflow_to_sample_mapping")
        total = len(offsets)
        best: tuple[float, float, int, int] = (-torch.inf, 0.0, 0, 0)
        for first in range(0, total, BATCH):
            if cancelled():
                return Outcome(answer=None, cancelled=True)
            batch = {name: values[first : first + BATCH] for name, values in windows.items()}
            with self.turns, torch.inference_mode():
                output = self.network(**{name: values.to(self.network.device) for name, values in batch.items()})
            starts, ends = output.start_logits.float().cpu(), output.end_logits.float().cpu()
            for row in range(len(starts)):
                inside = torch.tensor([part == 1 for part in windows.sequence_ids(first + row)])
                margin, probability, i, j = best_span(starts[row], ends[row], inside)
                if margin > best[0]:
                    place = offsets[first + row]
                    best = (margin, probability, int(place[i, 0]), int(place[j, 1]))
            yield Working(done=min(first + BATCH, total), total=total)
        margin, probability, start, end = best
        # A token may carry the space in front of it.
        start += len(request.context[start:end]) - len(request.context[start:end].lstrip())
        answer = QuestionAnswer(
            found=margin > 0, text=request.context[start:end], start=start, end=end, score=probability
        )
        return Outcome(answer=answer)


def best_span(
    starts: Float[Tensor, " tokens"], ends: Float[Tensor, " tokens"], inside: Bool[Tensor, " tokens"]
) -> tuple[float, float, int, int]:
    """The best answer in one window.

    Args:
        starts: logits of each token being the answer's first; token 0 stands for no answer.
        ends: of being its last.
        inside: whether a token is of the text.

    Returns:
        how far its score is above that of no answer; its probability, of start times end; its first and last token.
    """
    allowed = inside.clone()
    allowed[0] = True
    start_probabilities, end_probabilities = (
        logits.masked_fill(~allowed, -torch.inf).softmax(dim=0) for logits in (starts, ends)
    )
    band = torch.ones(len(starts), len(starts), dtype=torch.bool).triu().tril(LONGEST_ANSWER - 1)
    scores = (starts[:, None] + ends[None]).masked_fill(~(band & inside[:, None] & inside[None]), -torch.inf)
    i, j = divmod(int(scores.argmax()), len(starts))
    margin = float(scores[i, j] - starts[0] - ends[0])
    return margin, float(start_probabilities[i] * end_probabilities[j]), i, j
