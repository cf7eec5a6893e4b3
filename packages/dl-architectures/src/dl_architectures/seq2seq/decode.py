"""Decoding without a target: greedily, or by beam search; both for whole batches."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dl_architectures.seq2seq.model import BOS_ID, EOS_ID, PAD_ID, Memory, Seq2Seq


class Decoded(NamedTuple):
    """One answer for each source."""

    ids: Int[Tensor, "batch target"]
    """Up to and including `EOS_ID`, then padding; without `EOS_ID` where the limit cut it off."""
    log_probability: Float[Tensor, " batch"]
    """Of the whole answer, in nats."""


def log_probabilities(logits: Float[Tensor, "rows vocab"]) -> Float[Tensor, "rows vocab"]:
    """Of each next id, in nats; padding and `bos` are no answers, so that they cannot be chosen."""
    logits = logits.float()
    logits[:, [PAD_ID, BOS_ID]] = -torch.inf
    return logits.log_softmax(dim=-1)


@torch.inference_mode()
def greedy(
    model: Seq2Seq, source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"]
) -> tuple[Decoded, Float[Tensor, "batch target source"]]:
    """Take the likeliest symbol at each step, until every answer has ended; also the attention at each step.

    An answer may have as many symbols as its source has ids (`bos` and `eos` included), whatever else is in the batch.
    """
    memory, state = model.start(source, lengths)
    limit = lengths.to(source.device)
    ids = torch.full_like(limit, BOS_ID)
    ended = torch.zeros_like(limit, dtype=torch.bool)
    total = torch.zeros(len(source), device=source.device)
    answers, weights = [], []
    for step in range(source.shape[1]):
        logits, state = model.step(ids, state, memory)
        best, choice = log_probabilities(logits).max(dim=-1)
        ended |= step >= limit
        ids = choice.masked_fill(ended, PAD_ID)
        total += best.masked_fill(ended, 0)
        answers.append(ids)
        weights.append(state.weights)
        ended |= ids == EOS_ID
        if ended.all():
            break
    return Decoded(torch.stack(answers, dim=1), total), torch.stack(weights, dim=1)


@torch.inference_mode()
def beam_search(
    model: Seq2Seq, source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"], width: int
) -> Decoded:
    """Keep the `width` likeliest beginnings at each step; return the likeliest answer found.

    Answers are compared by their whole log probability, without a reward for length: as it can only fall, a finished
    answer at the head of its beam is final. The limit is that of :func:`greedy`.

    Raises:
        ValueError: if `width` is below 1.
    """
    if width < 1:
        raise ValueError(f"the beam must be at least 1 wide, got {width}")
    batch = len(source)
    memory, state = model.start(source, lengths)
    memory = Memory(*(part.repeat_interleave(width, dim=0) for part in memory))
    rows = torch.arange(batch, device=source.device)
    state = state.select(rows.repeat_interleave(width))
    limit = lengths.to(source.device)[:, None]
    # At the start the beams of a source are equal: only the first counts, or each answer would be found `width` times.
    scores = torch.full((batch, width), -torch.inf, device=source.device)
    scores[:, 0] = 0
    ended = torch.zeros_like(scores, dtype=torch.bool)
    answers = torch.empty((batch, width, 0), dtype=source.dtype, device=source.device)
    ids = torch.full_like(scores, BOS_ID, dtype=source.dtype)
    for step in range(source.shape[1]):
        logits, state = model.step(ids.flatten(), state, memory)
        gains = log_probabilities(logits).unflatten(0, (batch, width))
        ended = ended | (step >= limit)
        only_padding = torch.full_like(gains[0, 0], -torch.inf)
        only_padding[PAD_ID] = 0
        gains = torch.where(ended[..., None], only_padding, gains)
        scores, flat = (scores[..., None] + gains).flatten(1).topk(width, dim=1)
        parents, ids = flat // gains.shape[-1], flat % gains.shape[-1]
        answers = torch.cat((answers.gather(1, parents[..., None].expand(-1, -1, step)), ids[..., None]), dim=2)
        ended = ended.gather(1, parents) | (ids == EOS_ID)
        if ended[:, 0].all():
            break
        state = state.select((rows[:, None] * width + parents).flatten())
    return Decoded(answers[:, 0], scores[:, 0])
