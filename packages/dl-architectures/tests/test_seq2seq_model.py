"""The network: numbers worked by hand, and what must hold of any weights."""

import math

import pytest
import torch
from seq2seq_tools import ATTENTIONS, batch_of, random_rows, small_model
from torch import nn

from dl_architectures.seq2seq.config import ModelConfig
from dl_architectures.seq2seq.model import (
    PAD_ID,
    BahdanauAttention,
    Decoder,
    DecoderState,
    LocationAttention,
    LuongAttention,
    Memory,
)
from dl_architectures.seq2seq.train import token_loss

TINY = {"vocab_size": 5, "embedding_size": 3, "hidden_size": 2}
LOG2 = math.log(2)


def memory_of(values, mask=None, key: nn.Linear | None = None) -> Memory:
    values = torch.tensor([values])
    mask = torch.ones(values.shape[:2], dtype=torch.bool) if mask is None else torch.tensor([mask])
    return Memory(values, values if key is None else key(values), mask)


def set_weights(module: nn.Module, **weights: object) -> None:
    """All weights zero but for those given."""
    with torch.no_grad():
        for param in module.parameters():
            param.zero_()
        for name, value in weights.items():
            module.get_parameter(name.replace("__", ".")).copy_(torch.tensor(value))


def test_luong_by_hand():
    attention = LuongAttention(ModelConfig(attention="luong", **TINY))
    set_weights(attention, key__weight=[[0.0, LOG2], [1.0, 0.0]])
    memory = memory_of([[9.0, 1.0], [9.0, 0.0], [9.0, 2.0]], [True, True, False], attention.key)
    # Keys are (h_2 log 2, h_1); with s = (1, 0) the scores are log 2 and 0, so the weights 2 : 1, and none on padding.
    weights = attention(torch.tensor([[1.0, 0.0]]), memory, torch.full((1, 3), 1 / 3))
    torch.testing.assert_close(weights, torch.tensor([[2 / 3, 1 / 3, 0.0]]))


def test_bahdanau_by_hand():
    attention = BahdanauAttention(ModelConfig(attention="bahdanau", **TINY))
    set_weights(
        attention,
        query__weight=[[1.0, 0.0], [0.0, 0.0]],
        query__bias=[0.0, 0.25],
        key__weight=[[1.0, 0.0], [0.0, 1.0]],
        score__weight=[[2.0, -1.0]],
    )
    memory = memory_of([[0.5, -0.25], [-1.5, 0.75]], key=attention.key)
    weights = attention(torch.tensor([[1.0, 7.0]]), memory, torch.full((1, 2), 0.5))
    scores = [2 * math.tanh(1.5) - math.tanh(0.0), 2 * math.tanh(-0.5) - math.tanh(1.0)]
    first = 1 / (1 + math.exp(scores[1] - scores[0]))
    torch.testing.assert_close(weights, torch.tensor([[first, 1 - first]]))


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        # gate closed, all shift to the left, gamma = 1 + log 2 by softplus(0): what was at 2 and 3 is now at 1 and 2
        ([-50.0, 50.0, 0.0, 0.0, 0.0], [0.0, 0.25, 0.75, 0.0]),
        # likewise to the right, where position 3 falls off the end
        ([-50.0, 0.0, 0.0, 50.0, 0.0], [0.0, 0.0, 0.0, 1.0]),
        # stay
        ([-50.0, 0.0, 50.0, 0.0, 0.0], [0.0, 0.0, 0.25, 0.75]),
        # gate open: the content alone, which is even here
        ([50.0, 0.0, 50.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_location_by_hand(controls, expected):
    attention = LocationAttention(ModelConfig(attention="location", **TINY))
    set_weights(attention, controls__bias=controls)
    memory = memory_of([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], key=attention.key)
    weights = attention(torch.zeros(1, 2), memory, torch.tensor([[0.0, 0.0, 0.25, 0.75]]))
    powers = torch.tensor([expected]) ** (1 + LOG2)
    torch.testing.assert_close(weights, powers / powers.sum(), atol=1e-6, rtol=1e-5)


def test_location_sharpens_and_keeps_off_padding():
    attention = LocationAttention(ModelConfig(attention="location", **TINY))
    set_weights(attention, controls__bias=[-50.0, 0.0, 0.0, 50.0, 20.0])  # to the right, with gamma 21
    memory = memory_of([[0.0, 0.0]] * 4, [True, True, True, False], attention.key)
    weights = attention(torch.zeros(1, 2), memory, torch.tensor([[0.3, 0.3, 0.4, 0.0]]))
    # Moved right, the weights are 0, 0.3, 0.3 and 0.4 on padding, which does not count; sharpening keeps an even split.
    torch.testing.assert_close(weights, torch.tensor([[0.0, 0.5, 0.5, 0.0]]), atol=1e-6, rtol=1e-5)


def test_decoder_step_is_a_gru_cell_with_input_feeding():
    torch.manual_seed(3)
    config = ModelConfig(attention="luong", **TINY)
    decoder = Decoder(config)
    cell = nn.GRUCell(config.embedding_size + config.hidden_size, config.hidden_size)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.cat((decoder.inputs.weight, decoder.feed.weight), dim=1))
        cell.bias_ih.copy_(decoder.inputs.bias)
        cell.weight_hh.copy_(decoder.recurrent.weight)
        cell.bias_hh.copy_(decoder.recurrent.bias)
    state = DecoderState(torch.randn(4, 2), torch.randn(4, 2), torch.full((4, 3), 1 / 3))
    memory = Memory(torch.randn(4, 3, 2), torch.randn(4, 3, 2), torch.ones(4, 3, dtype=torch.bool))
    ids = torch.tensor([1, 2, 3, 4])
    new = decoder.step(decoder.project(ids), state, memory)
    expected = cell(torch.cat((decoder.embedding(ids), state.attentional), dim=1), state.hidden)
    torch.testing.assert_close(new.hidden, expected)
    context = (new.weights[..., None] * memory.values).sum(dim=1)
    torch.testing.assert_close(new.attentional, torch.tanh(decoder.combine(torch.cat((context, new.hidden), dim=1))))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_parameter_gets_a_gradient(attention):
    model, batch = small_model(attention), batch_of(random_rows(8, 2, 6))
    token_loss(model(batch.source, batch.source_lengths, batch.inputs), batch.labels).backward()
    silent = [name for name, param in model.named_parameters() if param.grad is None or not param.grad.any()]
    assert silent == []


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_untrained_loss_is_near_log_vocab(attention):
    model, batch = small_model(attention, symbols=20), batch_of(random_rows(64, 1, 9, symbols=20), symbols=20)
    loss = token_loss(model(batch.source, batch.source_lengths, batch.inputs), batch.labels) / batch.tokens
    assert loss.item() == pytest.approx(math.log(23), rel=0.08)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_padding_changes_no_output(attention):
    model = small_model(attention)
    short, long = [0, 3, 1], [2, 1, 0, 3, 3, 1, 2]
    alone, together = batch_of([short]), batch_of([long, short])
    first = model(alone.source, alone.source_lengths, alone.inputs)[0]
    second = model(together.source, together.source_lengths, together.inputs)[1, : first.shape[0]]
    torch.testing.assert_close(first, second)
    memory, state = model.start(together.source, together.source_lengths)
    _, state = model.step(together.inputs[:, 0], state, memory)
    assert not state.weights[1, 5:].any()
    torch.testing.assert_close(state.weights.sum(dim=1), torch.ones(2))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_decoding_step_by_step_equals_teacher_forcing(attention):
    model, batch = small_model(attention), batch_of(random_rows(5, 1, 6))
    whole = model(batch.source, batch.source_lengths, batch.inputs)
    memory, state = model.start(batch.source, batch.source_lengths)
    for position in range(batch.inputs.shape[1]):
        logits, state = model.step(batch.inputs[:, position], state, memory)
        torch.testing.assert_close(logits, whole[:, position])


def test_scheduled_sampling_reads_its_own_choices_where_not_forced():
    model, batch = small_model(seed=1), batch_of(random_rows(6, 4, 6))
    arguments = (batch.source, batch.source_lengths)
    everywhere = torch.ones_like(batch.inputs, dtype=torch.bool)
    torch.testing.assert_close(model(*arguments, batch.inputs, everywhere), model(*arguments, batch.inputs))
    forced = everywhere.clone()
    forced[:, 2] = False
    logits = model(*arguments, batch.inputs, forced)
    own = batch.inputs.clone()
    own[:, 2] = logits[:, 1].argmax(dim=-1)
    assert (own != batch.inputs).any()
    torch.testing.assert_close(logits, model(*arguments, own))


def test_loss_counts_real_positions_only():
    logits = torch.zeros(2, 3, 7)
    labels = torch.tensor([[3, 4, 2], [2, PAD_ID, PAD_ID]])
    assert token_loss(logits, labels).item() == pytest.approx(4 * math.log(7))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"embedding_size": 0}, "embedding_size must be at least 1"), ({"hidden_size": 7}, "hidden_size must be even")],
)
def test_sizes_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**{"attention": "luong", **TINY, **options})
