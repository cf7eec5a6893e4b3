"""Decoding: beam search against the search of everything, and greedy decoding against beams of width 1."""

import itertools

import pytest
import torch
from seq2seq_tools import ATTENTIONS, batch_of, random_rows, small_model

from dl_architectures.seq2seq.batches import Vocabulary
from dl_architectures.seq2seq.decode import beam_search, greedy, log_probabilities
from dl_architectures.seq2seq.model import BOS_ID, EOS_ID, PAD_ID, Seq2Seq
from dl_architectures.seq2seq.predict import predict_sequences
from dl_shared.data.reversal import Sequences


def sharpened(attention: str, seed: int, factor: float) -> Seq2Seq:
    """An untrained model with larger output weights, so that its answers differ clearly in probability."""
    model = small_model(attention, symbols=2, seed=seed)
    with torch.no_grad():
        model.decoder.output.weight.mul_(factor)
    return model


def exhaustive(model: Seq2Seq, batch) -> tuple[list[int], float]:
    """The likeliest of all answers to a single source, each scored on its own."""
    limit = int(batch.source_lengths[0])
    choices = [EOS_ID, 3, 4]
    answers = [
        answer
        for length in range(1, limit + 1)
        for answer in itertools.product(choices, repeat=length)
        if EOS_ID not in answer[:-1] and (answer[-1] == EOS_ID or length == limit)
    ]
    best, best_score = None, -float("inf")
    for answer in answers:
        inputs = torch.tensor([[BOS_ID, *answer[:-1]]])
        with torch.no_grad():
            logits = model(batch.source, batch.source_lengths, inputs)[0]
        score = log_probabilities(logits)[range(len(answer)), list(answer)].sum().item()
        if score > best_score:
            best, best_score = list(answer), score
    return best, best_score


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_wide_beam_finds_what_exhaustive_search_finds(attention, seed):
    model = sharpened(attention, seed, 6.0)
    sources = [[0, 1, 1], [1], [0, 0]]
    together = batch_of(sources, symbols=2)
    found = beam_search(model, together.source, together.source_lengths, width=3**5)
    for row, source in enumerate(sources):
        answer, score = exhaustive(model, batch_of([source], symbols=2))
        assert [i for i in found.ids[row].tolist() if i != PAD_ID] == answer
        assert found.log_probability[row].item() == pytest.approx(score, abs=1e-4)


def test_a_beam_can_beat_greedy_decoding_and_is_never_worse_here():
    better = 0
    for seed in range(12):
        model = sharpened("luong", seed, 4.0)
        batch = batch_of([[0, 1, 1]], symbols=2)
        step_by_step, _ = greedy(model, batch.source, batch.source_lengths)
        wide = beam_search(model, batch.source, batch.source_lengths, width=3**5)
        assert wide.log_probability.item() >= step_by_step.log_probability.item() - 1e-5
        better += wide.log_probability.item() > step_by_step.log_probability.item() + 1e-3
    assert better > 0


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_beam_of_one_is_greedy(attention):
    model, batch = sharpened(attention, 5, 5.0), batch_of(random_rows(20, 1, 7, symbols=2), symbols=2)
    first, _ = greedy(model, batch.source, batch.source_lengths)
    second = beam_search(model, batch.source, batch.source_lengths, width=1)
    width = min(first.ids.shape[1], second.ids.shape[1])
    assert first.ids[:, :width].tolist() == second.ids[:, :width].tolist()
    torch.testing.assert_close(first.log_probability, second.log_probability)


@pytest.mark.parametrize("beam", [1, 3])
def test_what_else_is_in_the_batch_changes_no_answer(beam):
    model, vocabulary = sharpened("location", 4, 5.0), Vocabulary((0, 1))
    rows = random_rows(30, 1, 9, symbols=2)
    together, probabilities = predict_sequences(model, vocabulary, Sequences.from_rows(rows), beam=beam)
    for row, answer, probability in zip(rows, together.rows(), probabilities, strict=True):
        alone, alone_probability = predict_sequences(model, vocabulary, Sequences.from_rows([row]), beam=beam)
        assert alone.rows() == [answer]
        assert alone_probability[0] == pytest.approx(probability, rel=1e-4)


def test_an_answer_that_never_ends_is_cut_at_the_length_of_its_source():
    model = small_model(symbols=2)
    with torch.no_grad():
        model.decoder.output.bias[EOS_ID] = -1e4
    batch = batch_of([[0, 1, 1, 0], [1]], symbols=2)
    decoded, weights = greedy(model, batch.source, batch.source_lengths)
    assert (decoded.ids != PAD_ID).sum(dim=1).tolist() == [6, 3]
    assert weights.shape == (2, 6, 6)
    wide = beam_search(model, batch.source, batch.source_lengths, width=4)
    assert (wide.ids != PAD_ID).sum(dim=1).tolist() == [6, 3]


def test_a_beam_must_have_a_width():
    batch = batch_of([[0]], symbols=2)
    with pytest.raises(ValueError, match="at least 1 wide"):
        beam_search(small_model(symbols=2), batch.source, batch.source_lengths, width=0)
